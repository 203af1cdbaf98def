package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river/rivertype"

	"github.com/abn-studio/studio/annotator"
)

// Work that finds no room on a disk is given back after a moment, without counting an attempt, however often it was tried. The worker keeps
// it until then, so that it takes nothing else that it has no room for.
func TestWorkWaitsForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &Worker{log: slog.New(slog.DiscardHandler), metrics: newMetrics(prometheus.NewRegistry())}
		part := &rivertype.JobRow{ID: 1, Attempt: 3, MaxAttempts: 3, Kind: "scan", EncodedArgs: []byte(`{}`), Metadata: []byte(`{}`)}
		begun := time.Now()
		err := w.attend(t.Context(), part, func(context.Context) error { return fmt.Errorf("scanning: %w", annotator.ErrFull) })
		var snoozed *rivertype.JobSnoozeError
		if !errors.As(err, &snoozed) || time.Since(begun) != roomAgain {
			t.Errorf("after %v: %v, want it given back after %v", time.Since(begun), err, roomAgain)
		}
	})
}
