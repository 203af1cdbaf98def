package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"github.com/abn-studio/studio/internal/postgres"
)

// tallyEvery is how often the counts of tasks and images are added up. A hundred people who paint write some twenty thousand rows meanwhile
// (fifty write 16 a second).
const tallyEvery = 10 * time.Minute

// tallyWorker adds up what was written down of the counts of tasks and images.
type tallyWorker struct {
	river.WorkerDefaults[postgres.TallyArgs]
	store Store
}

// Work adds up. What a failure leaves, the next periodic run takes.
func (t *tallyWorker) Work(ctx context.Context, _ *river.Job[postgres.TallyArgs]) error {
	return t.store.FoldTallies(ctx)
}
