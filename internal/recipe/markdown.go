package recipe

import (
	"fmt"
	"strings"
)

// Markdown is the table of docs/training.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| setting | default | what it may be | what it does | where the default comes from |\n|---|---|---|---|---|\n")
	for _, f := range Fields {
		does := f.Doc
		if does == "" {
			does = f.Sentence
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", f.Name, f.usual(), f.mayBe(), does, f.Origin)
	}
	return strings.ReplaceAll(b.String(), "|  |", "| |")
}

// usual returns the default as the table shows it: "`cosine`", "0 (never)", "off".
func (f Field) usual() string {
	switch {
	case f.Usual != "":
		return f.Usual
	case f.Type == Word || f.Type == Several:
		return fmt.Sprintf("`%v`", f.Default)
	case f.Type == Switch && f.Default == false:
		return "off"
	case f.Type == Switch:
		return "on"
	case f.Zero != "" && fmt.Sprint(f.Default) == "0":
		return "0 (" + f.Zero + ")"
	}
	if other := f.Otherwise(); other != "" {
		return fmt.Sprint(f.Default, "; ", other)
	}
	return fmt.Sprint(f.Default)
}

// mayBe returns the allowed values as the table shows them: "0 to 10,000".
func (f Field) mayBe() string {
	switch {
	case f.Type == Word:
		return "`" + strings.Join(f.Words(), "`, `") + "`"
	case f.Type == Several:
		return "some of `" + strings.Join(f.Words(), "`, `") + "`"
	case f.Type == Any:
		return "any whole number"
	case f.Above:
		return fmt.Sprintf("above %s, to %s", thousands(f.Low), thousands(f.High))
	case f.Numeric():
		return fmt.Sprintf("%s to %s", thousands(f.Low), thousands(f.High))
	}
	return ""
}

// thousands writes a number with commas.
func thousands(v float64) string {
	whole, rest, _ := strings.Cut(plain(v), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	return whole
}
