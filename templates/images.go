package templates

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/abn-studio/studio/annotator"
	"github.com/abn-studio/studio/internal/words"
)

// Images is the view model of the list of a project's images.
type Images struct {
	Query ImageQuery
	Page  annotator.ImagePage
	Undo  []int64 // images that were just deleted
	// Problem is what was wrong with what was asked for.
	Problem string
}

// ImageQuery is the query of the list's address; the zero value lists all images in use.
type ImageQuery struct {
	State  annotator.ImageState // "": in use
	Split  annotator.Split
	Label  *int
	None   bool // without a label
	Out    bool // left out of measures
	Prefix string
	Cursor string
}

// ParseImageQuery reads an address's query. It ignores what it does not understand.
func ParseImageQuery(v url.Values) ImageQuery {
	q := ImageQuery{Prefix: v.Get("q"), Cursor: v.Get("cursor"), None: v.Get("label") == "none", Out: v.Get("out") == "1"}
	if s := annotator.ImageState(v.Get("state")); s != annotator.ImageInUse && slices.Contains(annotator.ImageStates, s) {
		q.State = s
	}
	if s := annotator.Split(v.Get("split")); slices.Contains(annotator.Splits, s) {
		q.Split = s
	}
	if n, err := strconv.Atoi(v.Get("label")); err == nil && n >= 0 {
		q.Label = &n
	}
	return q
}

// Filter returns the query as a filter for the service.
func (q ImageQuery) Filter() annotator.ImageFilter {
	return annotator.ImageFilter{State: q.State, Split: q.Split, Label: q.Label, Unlabelled: q.None, LeftOut: q.Out, Prefix: q.Prefix, Cursor: q.Cursor}
}

// filtered reports whether not all images in use are listed.
func (q ImageQuery) filtered() bool {
	return q.State != "" || q.Split != "" || q.Label != nil || q.None || q.Out || q.Prefix != ""
}

// Address is the list's address within the project, with the page that begins after a cursor.
func (q ImageQuery) Address(cursor string) string {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("state", string(q.State))
	set("split", string(q.Split))
	if q.Label != nil {
		set("label", strconv.Itoa(*q.Label))
	}
	if q.None {
		set("label", "none")
	}
	if q.Out {
		set("out", "1")
	}
	set("q", q.Prefix)
	set("cursor", cursor)
	if len(v) == 0 {
		return "images"
	}
	return "images?" + v.Encode()
}

// imageStateWords are the states of images in words for people.
var imageStateWords = map[annotator.ImageState]string{
	annotator.ImageInUse: words.Key("in use"), annotator.ImageUnreadable: words.Key("cannot be read"), annotator.ImageDeleted: words.Key("deleted"),
	annotator.ImageReplaced: words.Key("replaced at the source"), annotator.ImageGone: words.Key("gone from the source"), annotator.ImageAny: words.Key("all there ever were"),
}
