// Package text says what text the studio takes in, UTF-8 without a NUL, which is what PostgreSQL can keep; and how it writes numbers.
//
//	text.go  a string
//	json.go  the strings of a JSON document, before a decoder mends them without a word
//	encoding.go  what text files are written in: byte order marks, UTF-16, others by name; names in one Unicode form
//	csv.go  tables, in which no cell is a formula to a spreadsheet
//	count.go  whole numbers and their nouns; number.go  others, differences with their sign, points, sizes
//
// Text is checked where it enters: addresses, forms and JSON in web, names and comments in annotator, tables and
// folders in dataset, manifests in internal/manifest. The package is a leaf: it imports nothing of the project and everything may import it.
package text
