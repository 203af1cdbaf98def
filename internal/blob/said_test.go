package blob_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/abn-studio/studio/internal/blob"
)

// Of a refusal the reason is said, without the client's account of its request; other errors stay as they are.
func TestSaid(t *testing.T) {
	t.Parallel()
	refused := &smithy.OperationError{ServiceID: "S3", OperationName: "ListObjectsV2", Err: fmt.Errorf("https response error StatusCode: 403: %w", &smithy.GenericAPIError{Code: "SignatureDoesNotMatch", Message: "the signature does not match"})}
	if got, want := blob.Said(refused).Error(), "the server says SignatureDoesNotMatch: the signature does not match"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if other := errors.New("no route to host"); !errors.Is(blob.Said(other), other) {
		t.Error("another error is not itself any more")
	}
}
