package words

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/abn-studio/studio/internal/text"
)

//go:embed ja.json
var japanese []byte

// Catalogue is a language's texts, by their English wording.
type Catalogue struct {
	// Texts are those of pages and their scripts.
	Texts map[string]string `json:"texts"`
	// Said are sentences that other packages make, by the format they are made with (fmt.Sprintf's); see Say.
	Said map[string]string `json:"said"`
}

// catalogues has the languages that are not the code's own.
var catalogues = map[Language]Catalogue{Japanese: parse(japanese)}

// parse reads a catalogue that is part of the program; it panics if that is damaged.
func parse(file []byte) Catalogue {
	var c Catalogue
	if err := json.Unmarshal(file, &c); err != nil {
		panic(fmt.Sprintf("words: the catalogue: %v", err))
	}
	return c
}

// CatalogueOf returns the texts of a language; English has none, it is what the keys say.
func CatalogueOf(l Language) Catalogue { return catalogues[l] }

// T returns a text in the language of ctx: key is its English wording, args are names and values of what stands in braces.
// A text that the catalogue lacks is English.
func T(ctx context.Context, key string, args ...any) string { return Fill(Raw(ctx, key), args...) }

// Key marks a text of the catalogue that is said later, by Say.
func Key(key string) string { return key }

// N is T for a text with a number n, {n} in it: in English one or many, in other languages by the key many.
func N[I int | int64](ctx context.Context, n I, one, many string, args ...any) string {
	s, found := catalogues[Of(ctx)].Texts[many]
	switch {
	case found:
	case n == 1:
		s = one
	default:
		s = many
	}
	return Fill(s, append(args, "n", text.Count(n))...)
}

// Raw is a text with its braces.
func Raw(ctx context.Context, key string) string {
	if s, found := catalogues[Of(ctx)].Texts[key]; found {
		return s
	}
	return key
}

// Fill puts values into the braces that name them. A whole number is written as people read it.
func Fill(s string, args ...any) string {
	if len(args) == 0 {
		return s
	}
	pairs := make([]string, 0, len(args))
	for i := 0; i+1 < len(args); i += 2 {
		pairs = append(pairs, "{"+fmt.Sprint(args[i])+"}", value(args[i+1]))
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

func value(v any) string {
	switch v := v.(type) {
	case string:
		return isolated(v)
	case int:
		return text.Count(v)
	case int64:
		return text.Count(v)
	}
	return fmt.Sprint(v)
}

// isolated is a text that people typed, as it stands in another: if it has a mark that turns the direction of what follows, such as U+202E,
// it is put between FSI and PDI (Unicode Standard Annex 9), which end that.
func isolated(s string) string {
	if strings.ContainsAny(s, "\u202a\u202b\u202d\u202e\u2066\u2067\u2068") {
		return "\u2068" + s + "\u2069"
	}
	return s
}

// Sentence returns s with a capital first letter and, if it ends with a letter or a digit, the full stop of the language.
func Sentence(ctx context.Context, s string) string {
	s = Capital(s)
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") || strings.HasSuffix(s, "。") {
		return s
	}
	if Of(ctx) == Japanese {
		return s + "。"
	}
	return s + "."
}

// Capital returns s with a capital first letter, where its script has such.
func Capital(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return strings.ToUpper(s[:size]) + s[size:]
}
