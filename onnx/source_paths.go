package onnx

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// Exporters write into a file where on somebody's machine the network was: torch.export a stack trace for each node, TorchScript one in
// each node's doc_string, others a path here and there. Nobody who gets the file is to be told that. A stack trace goes whole; of other
// metadata only the paths do, since the names of modules that stand there tell equal layers apart (onnx/statedict).

// tellsSource reports whether an entry of metadata is nothing but lines of source.
func tellsSource(key string) bool { return strings.HasSuffix(key, "stack_trace") }

// Where absolute paths stand: between quotes, before a line's number as TorchScript writes it, and on their own.
const pathStart = `(?:file://)?(?:/[^/\s"'<>|]|[A-Za-z]:[\\/]|\\\\[\w.-]+\\)`

var pathForms = []*regexp.Regexp{
	regexp.MustCompile(`()("` + pathStart + `[^"\n]*"|'` + pathStart + `[^'\n]*')`),
	regexp.MustCompile(`(?m)(^\s*)(` + pathStart + `[^"'<>|\n]*?)\(\d+\):`),
	regexp.MustCompile("(^|[\\s(\\[{<=,;:|`])(" + pathStart + `[^\s"'<>|:;,()\[\]{}` + "`" + `]*)`),
}

// roots are folders that absolute paths of a machine begin with. Names of values begin with a slash too: /layer1/conv1/Conv.
var roots = []string{"home", "root", "Users", "usr", "opt", "mnt", "media", "var", "tmp", "srv", "etc", "private", "Volumes", "Applications", "Library", "workspace", "workspaces",
	"content", "kaggle", "scratch", "gpfs", "lustre", "nfs", "dbfs", "databricks"}

// fileName is what files are called that a network is made of.
var fileName = regexp.MustCompile(`(?i)\.(py|pyc|pyx|ipynb|onnx|data|pt|pth|bin|ckpt|pkl|h5|safetensors|np[yz]|json|ya?ml|toml|cfg|ini|txt|csv|log|c|cc|cpp|cu|h|hpp|so|dll|exe|whl|jpe?g|png)$`)

// withoutPaths is a text with the names of files in place of absolute paths to them, and … in place of folders; paths are those.
func withoutPaths(text string) (freed string, paths []string) {
	if !strings.ContainsAny(text, `/\`) {
		return text, nil
	}
	for _, form := range pathForms {
		var out strings.Builder
		done := 0
		for _, at := range form.FindAllStringSubmatchIndex(text, -1) {
			path := text[at[4]:at[5]]
			quote := ""
			if path[0] == '"' || path[0] == '\'' {
				quote, path = path[:1], path[1:len(path)-1]
			}
			name, ok := lastOf(path)
			if !ok {
				continue
			}
			paths = append(paths, path)
			out.WriteString(text[done:at[4]] + quote + name + quote)
			done = at[5]
		}
		if done > 0 {
			text = out.String() + text[done:]
		}
	}
	return text, paths
}

// lastOf is what an absolute path is replaced by; ok is false for what is none.
func lastOf(path string) (name string, ok bool) {
	plain := strings.ReplaceAll(strings.TrimPrefix(path, "file://"), `\`, "/")
	elements := slices.DeleteFunc(strings.Split(plain, "/"), func(s string) bool { return s == "" })
	if len(elements) < 2 {
		return "", false
	}
	last := elements[len(elements)-1]
	isFile := fileName.MatchString(last)
	posix := !strings.HasPrefix(plain, "//") && plain[0] == '/'
	switch {
	case posix && !isFile && !slices.Contains(roots, elements[0]):
		return "", false
	case isFile:
		return last, true
	}
	return "…", true
}

// sourcePaths are the absolute paths of a machine that a model's texts tell, each once, as far as a few.
func sourcePaths(m *Model) []string {
	const nowhere = "values" // texts are looked at, and no value
	hollow, err := m.MarshalHollow(nowhere, maxFileBytes)
	if err != nil {
		return nil
	}
	packed, err := Repack(bytes.NewReader(hollow), Packing{})
	if err != nil {
		return nil
	}
	return packed.Paths
}
