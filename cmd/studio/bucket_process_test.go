package main

import (
	"net/http"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// asBucket is a variable that makes the test binary an S3 server on an address, with a bucket "studio" in its memory.
const asBucket = "STUDIO_TEST_AS_BUCKET"

func serveBucket(address string) {
	backend := s3mem.New()
	if err := backend.CreateBucket("studio"); err != nil {
		panic(err)
	}
	panic(http.ListenAndServe(address, gofakes3.New(backend).Server())) //nolint:gosec // of a test
}
