package trainer

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/abn-studio/studio/internal/arms"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/trainer/engine"
	"github.com/abn-studio/studio/trainer/sample"
)

// export writes a network of the round as a file.
func (r *round) export(arm Arm, settings recipe.Settings, train []sample.Sample, parameters []engine.Parameter) ([]byte, error) {
	settings.Refit = settings.Refit || arms.Of(arm).Refits != "" // such a round makes the same network
	lineage, err := r.metadata(arm, settings, train)
	if err != nil {
		return nil, err
	}
	file, err := r.net.export(parameters, lineage)
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", arm, err)
	}
	return file, nil
}

// metadata is the lineage of an exported model.
func (r *round) metadata(arm Arm, s recipe.Settings, train []sample.Sample) ([]onnx.Metadata, error) {
	settings, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	out := []onnx.Metadata{
		{Key: "abn.parent", Value: r.net.modelHash},
		{Key: "abn.arm", Value: string(arm)},
		{Key: "abn.settings", Value: string(settings)},
		{Key: "abn.strategy", Value: string(s.Strategy)},
		{Key: "abn.gamma", Value: strconv.FormatFloat(s.Gamma, 'g', -1, 64)},
		{Key: "abn.map_loss", Value: string(s.MapLoss)},
		{Key: "abn.anchor", Value: strconv.FormatFloat(s.Anchor, 'g', -1, 64)},
		{Key: "abn.edits", Value: strconv.Itoa(len(r.edited))},
		{Key: "abn.images", Value: strconv.Itoa(len(train))},
		{Key: "abn.seed", Value: strconv.FormatInt(s.Seed, 10)},
		{Key: "abn.run", Value: runKey(r.net.modelHash, s, train, r.valid)},
	}
	if s.Strategy == recipe.StrategyAll {
		out = append(out, extractorTrained(fmt.Sprintf("its last %d blocks", s.Blocks)))
	}
	if r.spec.Lineage.Round != 0 {
		out = append(out, onnx.Metadata{Key: "abn.round", Value: strconv.FormatInt(r.spec.Lineage.Round, 10)})
	}
	if r.spec.Lineage.Project != "" {
		out = append(out, onnx.Metadata{Key: "abn.project", Value: r.spec.Lineage.Project})
	}
	return out, nil
}
