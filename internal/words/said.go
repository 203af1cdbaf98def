package words

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// format is a sentence that another package makes, found again by its English format.
type format struct {
	form   *regexp.Regexp // its groups are the arguments, in order
	said   string
	begins bool // with an argument
}

// verb is a verb of fmt, perhaps with the number of its argument: %d, %.2f, %[2]q; or the place of a setting's value in package recipe.
var verb = regexp.MustCompile(`%(?:\[(\d+)\])?[+\-#0]*\d*(?:\.\d+)?[a-zA-Z]|\$\{value\}`)

// percent is a verb, or a sign of per cent as formats write it.
var percent = regexp.MustCompile(`%%|` + verb.String())

// joint is what stands between the errors of a chain, and between remarks.
var joint = regexp.MustCompile(`[:;] `)

// remark is what stands between remarks.
const remark = "; "

// formats are the formats with arguments of each language, those with the most fixed letters first.
var formats = func() map[Language]func() []format {
	all := map[Language]func() []format{}
	for l, c := range catalogues {
		all[l] = sync.OnceValue(func() []format { return compile(c.Said) })
	}
	return all
}()

func compile(said map[string]string) []format {
	keys := make([]string, 0, len(said))
	for key := range said {
		if verb.MatchString(key) {
			keys = append(keys, key)
		}
	}
	fixed := func(key string) int { return len(verb.ReplaceAllString(key, "")) }
	slices.SortFunc(keys, func(a, b string) int { return cmp.Or(fixed(b)-fixed(a), strings.Compare(a, b)) })
	list := make([]format, len(keys))
	for i, key := range keys {
		var form strings.Builder
		at := 0
		for _, v := range verb.FindAllStringIndex(key, -1) {
			form.WriteString(regexp.QuoteMeta(strings.ReplaceAll(key[at:v[0]], "%%", "%")))
			switch key[v[1]-1] {
			case 'd':
				form.WriteString(`([−\-]?[\d,]+)`)
			case 'f':
				form.WriteString(`([−\-+]?[\d.]+)`)
			case 'q':
				form.WriteString(`("(?:[^"\\]|\\.)*")`)
			default:
				form.WriteString(`(.+?)`)
			}
			at = v[1]
		}
		form.WriteString(regexp.QuoteMeta(strings.ReplaceAll(key[at:], "%%", "%")))
		list[i] = format{regexp.MustCompile(`(?s)^` + form.String() + `$`), said[key], strings.HasPrefix(key, "%")}
	}
	return list
}

// Say returns an English sentence that another package made, such as an error's, in the language of ctx. Its format is the key: the
// catalogue's Said has "%s is painting this one" and its like, and what stood for the verbs is said again in turn. Of a chain of errors
// ("first: second") and of remarks ("one; another") each is said by itself, also where the first is a name. What the catalogue lacks
// stays English.
func Say(ctx context.Context, s string) string {
	l := Of(ctx)
	if _, found := catalogues[l]; !found {
		return s
	}
	said, _ := say(l, s, 4)
	return said
}

// say is Say, and whether anything was found; deep bounds how often an argument is looked up in turn.
func say(l Language, s string, deep int) (string, bool) { return chain(l, s, deep, joints) }

// joints is how many joints of a sentence are tried: sentences hold what people typed, which may be nothing but joints.
const joints = 8

// chain says a sentence link by link, from the first one on; left is how many joints are tried.
func chain(l Language, s string, deep, left int) (string, bool) {
	if said, found := link(l, s, deep, format.takes); found {
		return said, true
	}
	for _, at := range joint.FindAllStringIndex(s, left) {
		first, found := link(l, s[:at[0]], deep, format.takes)
		if !found {
			continue
		}
		if rest, found := chain(l, s[at[1]:], deep, left-1); found {
			return first + s[at[0]:at[1]] + rest, true
		}
	}
	if first, rest, cut := strings.Cut(s, remark); cut && left > 0 {
		first, found := chain(l, first, deep, left-1)
		if rest, also := chain(l, rest, deep, left-1); found && also {
			return first + remark + rest, true
		}
	}
	if name, rest, cut := strings.Cut(s, ": "); cut && !strings.Contains(name, " ") {
		if rest, found := link(l, rest, deep, format.takes); found {
			return name + ": " + rest, true
		}
	}
	return link(l, s, deep, func(format, []string) bool { return true })
}

// link says one link of a chain: a sentence of the catalogue, or one that was made with a format of it whose arguments it takes.
func link(l Language, s string, deep int, takes func(format, []string) bool) (string, bool) {
	c := catalogues[l]
	if said, found := c.Said[s]; found {
		return said, true
	}
	if said, found := c.Texts[s]; found {
		return said, true
	}
	if deep == 0 {
		return s, false
	}
	for _, f := range formats[l]() {
		if groups := f.form.FindStringSubmatch(s); groups != nil && takes(f, groups[1:]) {
			return f.fill(l, groups[1:], deep-1), true
		}
	}
	return s, false
}

// takes reports whether a format was likely made with these arguments: a remark in one, unless it is quoted, or a joint in one with which
// the sentence begins, is more likely a joint of the sentence.
func (f format) takes(args []string) bool {
	for i, arg := range args {
		switch {
		case strings.HasPrefix(arg, `"`):
		case strings.Contains(arg, remark), i == 0 && f.begins && joint.MatchString(arg):
			return false
		}
	}
	return true
}

// fill puts the arguments in place of the verbs.
func (f format) fill(l Language, args []string, deep int) string {
	next := 0
	return percent.ReplaceAllStringFunc(f.said, func(v string) string {
		if v == "%%" {
			return "%"
		}
		if numbered := verb.FindStringSubmatch(v)[1]; numbered != "" {
			next, _ = strconv.Atoi(numbered)
			next--
		}
		if next < 0 || next >= len(args) {
			return v
		}
		said, _ := say(l, args[next], deep)
		next++
		return said
	})
}
