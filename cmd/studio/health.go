package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// healthCommand asks a running server whether it is healthy. A container's health check runs it, since there is no curl in it.
type healthCommand struct {
	URL     string        `arg:"" default:"http://127.0.0.1:8080/readyz" help:"Address to ask."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer."`
}

// Run succeeds on a 200.
func (c *healthCommand) Run(ctx context.Context, streams *stdio) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no answer from %s: %w", c.URL, err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 4096))
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s: %s", c.URL, response.Status, body)
	}
	_, err = fmt.Fprintf(streams.Out, "%s is well\n", c.URL)
	return err
}
