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
		for event, to := range map[annotator.Event]annotator.JobState{
			annotator.EventStart: annotator.JobRunning, annotator.EventFinish: annotator.JobFinished, annotator.EventFail: annotator.JobFailed,
		} {
			if got, ok := job.Next(event); ok != want.goOn || ok && got != to {
				t.Errorf("an import that is %s: %s: %s, %v", state, event, got, ok)
			}
		}
		if got, ok := job.Next(annotator.EventFinishImport); ok != want.finishImport || ok && got != annotator.JobFinished {
			t.Errorf("an import that is %s finishes: %s, %v", state, got, ok)
		}
		if got, ok := job.Next(annotator.EventGiveUp); ok != (state == annotator.JobRunning) || ok && got != annotator.JobFailed {
			t.Errorf("an import that is %s is given up: %s, %v", state, got, ok)
		}
		job.Kind = annotator.JobScan
		for _, event := range []annotator.Event{annotator.EventFinishImport, annotator.EventGiveUp} {
			if got, ok := job.Next(event); ok || got != state {
				t.Errorf("a scan that is %s: %s: %s, %v", state, event, got, ok)
			}
		}
	}
}
