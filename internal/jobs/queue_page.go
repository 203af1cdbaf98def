package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"riverqueue.com/riverui"

	"github.com/abn-studio/studio/internal/postgres"
)

// QueuePage answers River's own page of its queues, and the API that the page asks, below a prefix such as "/jobs". It looks at the queues
// every ten seconds until ctx ends. Whoever may ask may also cancel, retry and delete parts of jobs: the caller lets only admins. What is done
// there to a part of a job that people see reaches the job by closeStranded: a job whose parts have all ended unfinished is ended as failed.
func QueuePage(ctx context.Context, store *postgres.Store, prefix string, log *slog.Logger) (http.Handler, error) {
	page, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(store.River(), nil), Logger: slog.New(quiet{log.Handler(), &holds{}}), Prefix: prefix,
	})
	if err == nil {
		err = page.Start(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("the page of the queues: %w", err)
	}
	return page, nil
}
