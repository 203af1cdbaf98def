package web

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/fixture"
	"github.com/abn-studio/studio/internal/jobs"
	"github.com/abn-studio/studio/internal/ort"
	"github.com/abn-studio/studio/internal/postgres"
	"github.com/abn-studio/studio/internal/tracing"
)

// received returns the address of a receiver of OTLP over HTTP, and the spans that reach it.
func received(t *testing.T) (address string, spans <-chan *otlp.Span) {
	t.Helper()
	all := make(chan *otlp.Span, 100_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var sent collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("sent to %s: %v", r.URL.Path, err)
		}
		for _, resource := range sent.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					all <- span
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, all
}

// A request and the job that it asks for, with the job's queries and runs of the network, are one trace at whoever receives OTLP, and the
// log has its id. Nothing of it says who asked.
func TestOneTraceFromRequestToJob(t *testing.T) {
	t.Parallel()
	address, spans := received(t)
	tracer, err := tracing.Open(t.Context(), "test", otlptracehttp.WithEndpointURL(address+"/v1/traces"))
	must(t, err)
	s := newStudio(t, func(c *Config) { c.Tracer = tracer })
	ort.Watch(func(ctx context.Context, run ort.Run) func(error) { return tracer.Run(ctx, run.Network, run.Rows) })
	t.Cleanup(func() { ort.Watch(nil) })
	file, err := os.Open(filepath.Join(fixture.Reference(t), "preprocess", "wide-odd.jpg"))
	must(t, err)
	defer file.Close()
	hash, _, err := s.blobs.Put(t.Context(), file)
	must(t, err)
	_, err = s.store.AddImages(t.Context(), s.project.ID, []annotator.NewImage{{Name: "another.jpg", Split: annotator.SplitTest, Class: "bird-0", Hash: hash, Width: 64, Height: 48}})
	must(t, err)
	store, err := postgres.Open(t.Context(), postgres.Config{DSN: s.store.Pool().Config().ConnString(), Tracer: tracer, Logger: s.server.log})
	must(t, err)
	t.Cleanup(store.Close)
	worker, err := jobs.NewWorker(jobs.Config{Store: store, Blobs: s.blobs, Data: t.TempDir(), Threads: 1, Logger: s.server.log, Tracer: tracer})
	must(t, err)
	must(t, worker.Start(t.Context()))

	route := apiPrefix + "/versions/{version}/scan"
	s.as(annotator.RoleAdmin).do(http.MethodPost, fmt.Sprintf("%s/versions/%d/scan", apiPrefix, s.version.ID), nil).want(http.StatusAccepted)
	figures := func() bool {
		v, err := s.store.Version(t.Context(), s.version.ID)
		must(t, err)
		return len(v.Figures) > 0 // the evaluation after the scan has ended
	}
	for !figures() {
		select {
		case <-t.Context().Done():
			t.Fatal("the scan never ends")
		case <-time.After(50 * time.Millisecond): // no event tells of a job
		}
	}
	must(t, worker.Stop(t.Context()))
	must(t, tracer.Close(t.Context()))

	byTrace, of := map[string][]*otlp.Span{}, ""
	for len(spans) > 0 {
		span := <-spans
		id := hex.EncodeToString(span.GetTraceId())
		byTrace[id] = append(byTrace[id], span)
		if span.GetName() == "POST "+route {
			of = id
		}
	}
	var names []string
	for _, span := range byTrace[of] {
		names = append(names, span.GetName())
		for _, a := range span.GetAttributes() {
			if value := a.GetValue().GetStringValue(); strings.Contains(value, "@example.org") || strings.Contains(value, "another.jpg") || strings.Contains(value, "127.0.0.1") {
				t.Errorf("%s has %s=%s", span.GetName(), a.GetKey(), value)
			}
		}
	}
	all := strings.Join(names, "\n")
	for _, want := range []string{"POST " + route, "job scan", "job evaluate", "postgresql update", "run the extractor"} {
		if !strings.Contains(all, want) {
			t.Errorf("the trace has no %q; it has\n%s", want, all)
		}
	}
}
