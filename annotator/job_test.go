package annotator_test

import (
	"testing"

	"github.com/abn-studio/studio/annotator"
)

func TestJobStates(t *testing.T) {
	t.Parallel()
	for state, want := range map[annotator.JobState]struct{ goOn, finishImport bool }{
		annotator.JobQueued:    {goOn: true},
		annotator.JobRunning:   {goOn: true, finishImport: true},
		annotator.JobFinished:  {},
		annotator.JobFailed:    {finishImport: true}, // it had only been cut off
		annotator.JobCancelled: {},
	} {
		job := annotator.Job{Kind: annotator.JobImport, State: state}
		if job.MayGoOn() != want.goOn || job.MayFinishImport() != want.finishImport {
			t.Errorf("an import that is %s may go on: %v, may finish: %v", state, job.MayGoOn(), job.MayFinishImport())
		}
		if job.Kind = annotator.JobScan; job.MayFinishImport() {
			t.Errorf("a scan that is %s finishes as an import", state)
		}
	}
}
