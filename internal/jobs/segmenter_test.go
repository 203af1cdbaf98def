package jobs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/blob"
	"github.com/abn-studio/studio/internal/fixture"
)

// segmenterFile is a file of the small segmenters.
func segmenterFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixture.Root(), "inference", "testdata", "segmenters", name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sentSegmenter are the files of a segmenter as they are sent.
func sentSegmenter(t *testing.T, encoder, decoder string) func() (annotator.SentFile, error) {
	t.Helper()
	return sentAs(annotator.SentFile{Kind: annotator.SentDecoder, Name: decoder + ".onnx", Reader: bytes.NewReader(segmenterFile(t, decoder))},
		annotator.SentFile{Kind: annotator.SentEncoder, Name: `net\` + encoder + ".onnx", Reader: bytes.NewReader(segmenterFile(t, encoder))})
}

func TestASegmenterThatIsSent(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	blobs, err := blob.Open(ctx, t.TempDir(), blob.Options{})
	if err != nil {
		t.Fatal(err)
	}
	incoming := t.TempDir()
	models := NewModels(blobs, incoming, 1<<20)
	found, err := models.ReceiveSegmenter(ctx, sentSegmenter(t, "sam_encoder_bytes", "sam_decoder"))
	if err != nil {
		t.Fatal(err)
	}
	if found.Name != "sam_encoder_bytes.onnx" || found.Kind != annotator.SegmenterSAM || found.Pixels != annotator.PixelsBytes || found.EncoderBytes != int64(len(segmenterFile(t, "sam_encoder_bytes"))) {
		t.Errorf("%+v", found)
	}
	for _, hash := range []string{found.EncoderHash, found.DecoderHash} {
		if there, err := blobs.Exists(ctx, hash); !there || err != nil {
			t.Errorf("%s is not kept: %v", hash, err)
		}
	}
	found, err = models.TrySegmenter(ctx, annotator.SegmenterToAdd{Name: "e.onnx", Encoder: segmenterFile(t, "efficient_encoder"), Decoder: segmenterFile(t, "efficient_decoder")})
	if err != nil || found.Kind != annotator.SegmenterEfficient || found.Name != "e.onnx" {
		t.Errorf("%+v, %v", found, err)
	}

	file := func(kind annotator.SentKind, content []byte) annotator.SentFile {
		return annotator.SentFile{Kind: kind, Name: "x.onnx", Reader: bytes.NewReader(content)}
	}
	torch := filepath.Join(fixture.Root(), "web", "e2e", "testdata", "torch")
	apart, err := os.ReadFile(filepath.Join(torch, "abn.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(torch, "abn.onnx.data"))
	if err != nil {
		t.Fatal(err)
	}
	sam, decoder := segmenterFile(t, "sam_encoder"), segmenterFile(t, "sam_decoder")
	for name, c := range map[string]struct {
		sent        []annotator.SentFile
		field, says string
	}{
		"alone":      {[]annotator.SentFile{file(annotator.SentEncoder, sam)}, "decoder", "no file was sent"},
		"swapped":    {[]annotator.SentFile{file(annotator.SentEncoder, decoder), file(annotator.SentDecoder, sam)}, "decoder", "its inputs are input_image"},
		"no ONNX":    {[]annotator.SentFile{file(annotator.SentEncoder, []byte("no model")), file(annotator.SentDecoder, decoder)}, "encoder", "this is a text"},
		"twice":      {[]annotator.SentFile{file(annotator.SentEncoder, sam), file(annotator.SentEncoder, sam)}, "encoder", "two ONNX files"},
		"pixels":     {[]annotator.SentFile{file(annotator.SentPixels, []byte("BGR"))}, "pixels", "is normalised, 0-255 or 0-1"},
		"its values": {[]annotator.SentFile{file(annotator.SentEncoder, apart), file(annotator.SentDecoder, decoder)}, "encoder", "Send the file that holds it as well"},
		"with values": {[]annotator.SentFile{{Kind: annotator.SentData, Name: "abn.onnx.data", Reader: bytes.NewReader(data)}, file(annotator.SentEncoder, apart), file(annotator.SentDecoder, decoder)},
			"encoder", "its outputs are"}, // it was read as one file, and is no encoder
	} {
		_, err := models.ReceiveSegmenter(ctx, sentAs(c.sent...))
		var wrong *annotator.ValidationError
		if !errors.As(err, &wrong) || wrong.Field != c.field || !strings.Contains(wrong.Message, c.says) || strings.Contains(err.Error(), incoming) {
			t.Errorf("%s: %v, want of %s: %s", name, err, c.field, c.says)
		}
	}
	if _, err := NewModels(blobs, incoming, 100).ReceiveSegmenter(ctx, sentAs(file(annotator.SentEncoder, sam))); !errors.Is(err, annotator.ErrTooLarge) {
		t.Errorf("beyond the limit: %v", err)
	}
	if left, err := os.ReadDir(incoming); err != nil || len(left) != 0 {
		t.Errorf("%d files are left on their way, %v", len(left), err)
	}
}

// The segmenter's files are not swept while it is the studio's, and are afterwards.
func TestTidyLeavesTheSegmenter(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store, blobs, _ := birds(t)
	service := annotator.NewService(annotator.ServiceConfig{Store: store, Blobs: blobs, Models: NewModels(blobs, t.TempDir(), 0)})
	set := func(encoder, decoder string) annotator.Segmenter {
		t.Helper()
		g, err := service.AddSegmenter(ctx, annotator.System, annotator.SegmenterToAdd{Name: encoder, Encoder: segmenterFile(t, encoder), Decoder: segmenterFile(t, decoder)})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	first, second := set("sam_encoder", "sam_decoder"), set("efficient_encoder", "efficient_decoder")
	if now, err := service.Segmenter(ctx, annotator.System); err != nil || now.EncoderHash != second.EncoderHash || now.Kind != annotator.SegmenterEfficient {
		t.Errorf("%+v, %v", now, err)
	}
	uses, err := store.BlobUses(ctx)
	if err != nil || len(uses) != 2 || !strings.Contains(uses[0].Use+uses[1].Use, "encoder of the segmenter efficient_encoder") {
		t.Errorf("%v, %v", uses, err)
	}
	used, err := store.ReferencedBlobs(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for hash, want := range map[string]bool{first.EncoderHash: false, first.DecoderHash: false, second.EncoderHash: true, second.DecoderHash: true} {
		if _, is := used[hash]; is != want {
			t.Errorf("%s is in use: %v", hash[:6], is)
		}
	}
	if err := service.RemoveSegmenter(ctx, annotator.System); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{service.RemoveSegmenter(ctx, annotator.System), func() error { _, err := service.Segmenter(ctx, annotator.System); return err }()} {
		if !errors.Is(err, annotator.ErrNotFound) || !strings.Contains(err.Error(), "an admin can add one") {
			t.Error(err)
		}
	}
}
