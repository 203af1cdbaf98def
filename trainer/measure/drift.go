package measure

import "github.com/abn-studio/studio/internal/attention"

// SetDrift fills in Result.Drift, the L2 distance of each map from the parent's. maps and parent have one for each result.
func SetDrift(results []Result, maps, parent []attention.Map) {
	for i := range results {
		results[i].Drift = maps[i].Distance(parent[i])
	}
}
