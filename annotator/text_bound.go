package annotator

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/abn-studio/studio/internal/text"
)

// TextBound is how many characters a text has that people write.
type TextBound struct{ Least, Most int }

// The bounds of what people write. Service checks them; the API's schema, the fields of the pages and the editor ask here, so that
// all say the same. Passwords are taken as they are, all else without the spaces around it.
var (
	BoundSlug           = TextBound{1, 60} // of a project, which addresses it
	BoundProjectName    = TextBound{1, 100}
	BoundDescription    = TextBound{0, 4000} // of a project
	BoundClassName      = TextBound{1, 200}
	BoundPersonName     = TextBound{1, 100}
	BoundEmail          = TextBound{3, 254}  // RFC 5321 has no place for a longer one
	BoundPassword       = TextBound{10, 200} // hashing reads all of it: an endless one would cost the server
	BoundCode           = TextBound{1, 40}   // of an authenticator app, or a recovery code
	BoundTokenName      = TextBound{1, 100}
	BoundSkipReason     = TextBound{1, 500}
	BoundComment        = TextBound{0, 4000} // of a review; a rejection has one
	BoundPin            = TextBound{0, 500}  // of a cell that a review points at
	BoundGroup          = TextBound{0, 200}  // of an image
	BoundSource         = TextBound{1, 100}  // of images: the data set they came in with
	BoundImportedFrom   = TextBound{1, 1000} // the address or folder of a data set
	BoundFileName       = TextBound{1, 255}  // of a model or a data set: file systems have no longer ones
	BoundDate           = TextBound{0, 10}
	BoundZone           = TextBound{0, 64}  // the name of a time zone
	BoundSearch         = TextBound{0, 200} // part of an image's name
	BoundWebhookURL     = TextBound{1, 2000}
	BoundIdempotencyKey = TextBound{0, 200}
	BoundValueName      = TextBound{0, 1024} // of a value in a model's graph
)

// Problem says what is wrong with a text, after the name of its field; "" where nothing is.
func (b TextBound) Problem(s string) string {
	switch n := utf8.RuneCountInString(s); {
	case !text.Valid(s):
		return text.Problem
	case n == 0 && b.Least > 0:
		return "is empty"
	case n < b.Least || n > b.Most:
		return fmt.Sprintf("has %s characters, want %s to %s", text.Count(n), text.Count(b.Least), text.Count(b.Most))
	}
	return ""
}

// check returns a text without the spaces around it, or a *ValidationError of its field.
func (b TextBound) check(field, s string) (string, error) {
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }) // what nobody sees says nothing
	if problem := b.Problem(s); problem != "" {
		return "", &ValidationError{Field: field, Message: problem}
	}
	return s, nil
}
