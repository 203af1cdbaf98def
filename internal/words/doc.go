// Package words says the pages' text in the language of who reads it (ADR 43).
//
//	language.go   the languages, and which of them a request asks for
//	words.go      T and N: a text by its English wording; the catalogue
//	said.go       Say: a sentence that another package made in English, as errors are
//	time.go       dates, and how long something takes
//	ja.json       the catalogue: every text in Japanese
//
// The English text stands in the code and is the key, as with gettext. What changes in it is named in braces:
//
//	words.T(ctx, "Sent back by {name}", "name", person)
//	words.N(ctx, n, "{n} image", "{n} images")
//
// Scripts of the pages say t("…") of web/editor/src/words.ts and get the same catalogue. words_test.go of the module's root checks that
// every key has a Japanese text, that every text is used, and that templates hold no text beside.
//
// To add a text: write it in English where it is said, run the root's tests, and put the Japanese of the keys that they name into ja.json;
// `make generate` then hands scripts theirs. To add a language: its constant and layouts here, and its file.
//
// Numbers need no language here: CLDR writes them alike in English and Japanese (TestNumbers).
package words
