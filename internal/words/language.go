package words

import (
	"context"
	"slices"

	"golang.org/x/text/language"
)

// Language is a language of the pages, by its tag of BCP 47.
type Language string

// The languages. English is what the code is written in.
const (
	English  Language = "en"
	Japanese Language = "ja"
)

// Languages are all of them, English first.
var Languages = []Language{English, Japanese}

// Name is what a language calls itself.
func (l Language) Name() string {
	if l == Japanese {
		return "日本語"
	}
	return "English"
}

// Valid reports whether the pages have the language.
func (l Language) Valid() bool { return slices.Contains(Languages, l) }

var matcher = language.NewMatcher([]language.Tag{language.English, language.Japanese}) // as Languages

// Choose returns the language of a request: what the person chose, else what their browser accepts (RFC 9110, section 12.5.4), else
// English.
func Choose(chosen, acceptLanguage string) Language {
	if l := Language(chosen); l.Valid() {
		return l
	}
	tags, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		return English
	}
	_, i, _ := matcher.Match(tags...)
	return Languages[i]
}

type contextKey struct{}

// With returns a context in which texts are in language l.
func With(ctx context.Context, l Language) context.Context {
	return context.WithValue(ctx, contextKey{}, l)
}

// Of returns the language of a context; English where none was chosen.
func Of(ctx context.Context) Language {
	if l, ok := ctx.Value(contextKey{}).(Language); ok {
		return l
	}
	return English
}
