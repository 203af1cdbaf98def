package annotator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/abn-studio/studio/internal/attention"
)

// RoundRows is what a round's networks answered to each image. All figures of the round follow from it.
type RoundRows struct {
	Count  int
	Packed []byte       // internal/roundrows
	Judged []int64      // the images that the round was judged on
	Shown  []ShownImage // some of those that the round fixed, broke, or moved the map of
}

// ShownImage is an image with the answers of three of a round's networks, of the first seed.
type ShownImage struct {
	ID        int64       `json:"id"`
	Parent    ShownAnswer `json:"parent"`
	Control   ShownAnswer `json:"control"`
	Candidate ShownAnswer `json:"candidate"`
}

// ShownAnswer is a network's answer to an image, and its map.
type ShownAnswer struct {
	Class      int           `json:"class" minimum:"0"`
	Confidence float64       `json:"confidence" minimum:"0" maximum:"1"`
	Map        attention.Map `json:"map"`
}

// RowFormat is a form in which a round's rows are downloaded.
type RowFormat string

// The forms of a round's rows.
const (
	RowsJSONL RowFormat = "jsonl" // what studio finetune --rows writes
	RowsCSV   RowFormat = "csv"
)

// RowFormats are all of them.
var RowFormats = []RowFormat{RowsJSONL, RowsCSV}

// RowReader reads the rows of rounds (internal/roundrows).
type RowReader interface {
	// Write writes packed rows in a form; classes are the project's.
	Write(w io.Writer, packed []byte, format RowFormat, classes []Class) error
	// Compare compares network b with a, of the first seed, on the held-out images that both have rows of; classes is how many there are.
	Compare(a, b NetworkRows, classes int) (ComparedRows, error)
}

// RoundRowStore keeps the rows of rounds.
type RoundRowStore interface {
	// KeepRoundRows adds the rows of a round that is finished.
	KeepRoundRows(ctx context.Context, roundID int64, rows RoundRows) error
	// PackedRows returns the rows of a round; ErrNotFound where none are kept.
	PackedRows(ctx context.Context, roundID int64) ([]byte, error)
	// ShownImages lists the images of a round that it has the answers of; none where none are kept.
	ShownImages(ctx context.Context, roundID int64) ([]ShownImage, error)
	// ImagesNamed finds images of a project by name; those that are not there are left out.
	ImagesNamed(ctx context.Context, projectID int64, names []string) (map[string]int64, error)
}

// RoundRows is the file of what a round's networks answered to each image. The caller closes it. ErrNotFound for a round without rows:
// one that is not finished, or was trained by a release that kept none.
func (s *Service) RoundRows(ctx context.Context, actor User, id int64, format RowFormat) (Download, error) {
	round, project, err := s.Round(ctx, actor, id)
	if err != nil {
		return Download{}, err
	}
	fail := func(err error) (Download, error) { return Download{}, fmt.Errorf("rows of round %d: %w", id, err) }
	media := map[RowFormat]string{RowsJSONL: "application/jsonl", RowsCSV: "text/csv; charset=utf-8"}
	if !slices.Contains(RowFormats, format) {
		return fail(&ValidationError{Field: "format", Message: fmt.Sprintf("%q: want jsonl or csv", format)})
	}
	if s.rows == nil {
		return fail(fmt.Errorf("%w: this process reads no rows", ErrUnavailable))
	}
	packed, err := s.store.PackedRows(ctx, id)
	if err != nil {
		return Download{}, err
	}
	var text bytes.Buffer
	if err := s.rows.Write(&text, packed, format, project.Classes); err != nil {
		return fail(err)
	}
	d := Download{
		Name: fmt.Sprintf("%s-round-%d.%s", project.Slug, round.Number, format), Media: media[format], From: round.CreatedAt,
		ReadSeekCloser: held{bytes.NewReader(text.Bytes()), io.NopCloser(nil)},
	}
	if round.FinishedAt != nil {
		d.From = *round.FinishedAt
	}
	return d, nil
}

// ShownImages lists images that a round fixed, broke or moved the map of, with the answers and maps of its networks. An archive that
// came without some of them has the others.
func (s *Service) ShownImages(ctx context.Context, actor User, roundID int64) ([]ShownImage, error) {
	if _, _, err := s.Round(ctx, actor, roundID); err != nil {
		return nil, err
	}
	return s.store.ShownImages(ctx, roundID)
}

// keepRows adds the rows of a round, if it has any.
func keepRows(ctx context.Context, tx Store, roundID int64, rows RoundRows) error {
	if rows.Count == 0 {
		return nil
	}
	if len(rows.Packed) == 0 {
		return errors.New("rows without their bytes")
	}
	return tx.KeepRoundRows(ctx, roundID, rows)
}
