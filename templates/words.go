package templates

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/abn-studio/studio/internal/words"
)

// plainTags are the elements that a text may name without an argument.
var plainTags = []string{"strong", "em", "code", "kbd", "small"}

// mark is what stands in a rich text besides words: {name}, or the <name> that begins what ends with </name>.
var mark = regexp.MustCompile(`\{(\w+)\}|<(\w+)>`)

// Rich is words.T with elements in the text, so that a translation can order them as its language does. In
//
//	@Rich("It is opened again on <link>its page Data</link>.", "link", link(address))
//
// the argument link is a component around what stands between the tags; an argument in braces is a text, a number or a component; a tag of
// plainTags needs no argument.
func Rich(key string, args ...any) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return rich(ctx, w, words.Raw(ctx, key), args)
	})
}

// RichN is words.N with elements, as Rich is words.T.
func RichN[I int | int64](n I, one, many string, args ...any) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return rich(ctx, w, words.N(ctx, n, one, many), args)
	})
}

func rich(ctx context.Context, w io.Writer, s string, args []any) error {
	for {
		m := mark.FindStringSubmatchIndex(s)
		if m == nil {
			return write(w, s)
		}
		if err := write(w, s[:m[0]]); err != nil {
			return err
		}
		rest := s[m[1]:]
		var err error
		if m[2] >= 0 {
			err = insert(ctx, w, s[m[2]:m[3]], args)
		} else {
			tag := s[m[4]:m[5]]
			inner, after, closed := strings.Cut(rest, "</"+tag+">")
			if !closed {
				return fmt.Errorf("<%s> of a text does not end", tag)
			}
			rest, err = after, enclose(ctx, w, tag, inner, args)
		}
		if err != nil {
			return err
		}
		s = rest
	}
}

// insert writes the argument in braces.
func insert(ctx context.Context, w io.Writer, name string, args []any) error {
	arg, found := argument(name, args)
	if !found {
		return write(w, "{"+name+"}")
	}
	if c, ok := arg.(templ.Component); ok {
		return c.Render(ctx, w)
	}
	return write(w, words.Fill("{v}", "v", arg))
}

// enclose writes a text in the element of its tag.
func enclose(ctx context.Context, w io.Writer, tag, inner string, args []any) error {
	within := templ.ComponentFunc(func(ctx context.Context, w io.Writer) error { return rich(ctx, w, inner, args) })
	if arg, found := argument(tag, args); found {
		c, ok := arg.(templ.Component)
		if !ok {
			return fmt.Errorf("<%s> of a text needs a component, not %T", tag, arg)
		}
		return c.Render(templ.WithChildren(ctx, within), w)
	}
	if !slices.Contains(plainTags, tag) {
		return fmt.Errorf("<%s> of a text is no argument", tag)
	}
	if _, err := io.WriteString(w, "<"+tag+">"); err != nil {
		return err
	}
	if err := within.Render(ctx, w); err != nil {
		return err
	}
	_, err := io.WriteString(w, "</"+tag+">")
	return err
}

func argument(name string, args []any) (any, bool) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name {
			return args[i+1], true
		}
	}
	return nil, false
}

func write(w io.Writer, s string) error {
	_, err := io.WriteString(w, templ.EscapeString(s))
	return err
}
