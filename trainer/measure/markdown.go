package measure

import (
	"fmt"
	"strings"
)

// Markdown is the table of docs/measures.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| measure | range, better | definition | source |\n|---|---|---|---|\n")
	for _, k := range kinds {
		better := ""
		if k.Better != "" {
			better = ", " + k.Better
		}
		fmt.Fprintf(&b, "| %s<br>`%s` | %s%s | %s | %s |\n", k.Label, k.Name, k.Range, better, cell(k.Definition), cell(k.Source))
	}
	return b.String()
}

// cell is a text as a table's cell: a bar in it would end the cell.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
