package main

import (
	"context"

	"github.com/abn-studio/studio/web"
)

// openapiCommand prints the description of the JSON API.
type openapiCommand struct{}

// Run prints it; no database is needed.
func (*openapiCommand) Run(_ context.Context, streams *stdio) error {
	document, err := web.OpenAPI()
	if err != nil {
		return err
	}
	_, err = verbatim(streams.Out).Write(document)
	return err
}
