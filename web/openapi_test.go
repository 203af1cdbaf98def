package web

import (
	"os"
	"testing"
)

// openapiFile is where the editor's types are generated from.
const openapiFile = "editor/src/api/openapi.json"

func TestOpenAPIIsTheCommittedOne(t *testing.T) {
	t.Parallel()
	described, err := OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("STUDIO_UPDATE") != "" {
		if err := os.WriteFile(openapiFile, described, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(openapiFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(committed) != string(described) {
		t.Errorf("%s is not what OpenAPI() says: run make generate", openapiFile)
	}
}
