package onnx_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/abn-studio/studio/onnx"
)

// message is a length-delimited protobuf field.
func message(number protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), slices.Concat(parts...))
}

func varint(number protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), v)
}

func text(number protowire.Number, s string) []byte { return message(number, []byte(s)) }

// elsewhere is a TensorProto of two float32 that names another file, by pairs of keys and values.
func elsewhere(pairs ...string) []byte {
	tensor := slices.Concat(varint(1, 2), varint(2, 1), text(8, "w"))
	for i := 0; i < len(pairs); i += 2 {
		tensor = append(tensor, message(13, text(1, pairs[i]), text(2, pairs[i+1]))...)
	}
	return append(tensor, varint(14, 1)...)
}

// The parts of a forged file, in protobuf.
func modelOf(graph ...[]byte) []byte { return slices.Concat(varint(1, 8), message(7, graph...)) }
func nodeOf(name, op string, attributes ...[]byte) []byte {
	return slices.Concat(text(2, name+"/out"), text(3, name), text(4, op), slices.Concat(attributes...))
}
func attributeOf(name string, number protowire.Number, content []byte) []byte {
	types := map[protowire.Number]uint64{5: 4, 6: 5, 10: 9, 11: 10, 22: 11, 23: 12}
	list := [][]byte{text(1, name), message(number, content), varint(20, types[number])}
	if number > 20 {
		list[1], list[2] = list[2], list[1]
	}
	return message(5, list...)
}

// placesOfATensor are files that keep a tensor in another file, one for every place where the format has a tensor.
func placesOfATensor(tensor []byte) map[string][]byte {
	initializer, sparse := message(5, tensor), slices.Concat(message(1, tensor), varint(3, 2))
	branch := func(inner []byte) []byte { return message(1, nodeOf("X", "If", attributeOf("then_branch", 6, inner))) }
	nested := initializer
	for range 5 {
		nested = branch(nested)
	}
	function := func(content ...[]byte) []byte {
		return slices.Concat(modelOf(), message(25, text(1, "F"), slices.Concat(content...)))
	}
	constant := nodeOf("C", "Constant", attributeOf("value", 5, tensor))
	return map[string][]byte{
		"initializer w":                                  modelOf(initializer),
		"sparse initializer, values w":                   modelOf(message(15, sparse)),
		"sparse initializer, indices w":                  modelOf(message(15, message(2, tensor))),
		"node C (Constant), value w":                     modelOf(message(1, constant)),
		"node C (Custom), list w":                        modelOf(message(1, nodeOf("C", "Custom", attributeOf("list", 10, tensor)))),
		"node C (Constant), sparse_value, values w":      modelOf(message(1, nodeOf("C", "Constant", attributeOf("sparse_value", 22, sparse)))),
		"node C (Custom), sparse_values, values w":       modelOf(message(1, nodeOf("C", "Custom", attributeOf("sparse_values", 23, sparse)))),
		"node X (If), then_branch, initializer w":        modelOf(branch(initializer)),
		"then_branch, node X (If), then_branch, initial": modelOf(nested),
		"then_branch, node C (Constant), value w":        modelOf(branch(message(1, constant))),
		"then_branch, sparse initializer, values w":      modelOf(branch(message(15, sparse))),
		"node S (Scan), bodies, initializer w":           modelOf(message(1, nodeOf("S", "Scan", attributeOf("bodies", 11, initializer)))),
		"node L (Loop), body, initializer w":             modelOf(message(1, nodeOf("L", "Loop", attributeOf("body", 6, initializer)))),
		"function F, node C (Constant), value w":         function(message(7, constant)),
		"function F, default w":                          function(message(11, text(1, "default"), message(5, tensor), varint(20, 4))),
		"function F, node X (If), then_branch, initial":  function(message(7, branch(initializer)[2:])),
		"training_info 0, algorithm, initializer w":      slices.Concat(modelOf(), message(20, message(2, initializer))),
		"training_info 0, initialization, initializer w": slices.Concat(modelOf(), message(20, message(1, initializer))),
	}
}

// An uploaded file must not name another file, in any place that can have a tensor: ONNX Runtime would look for it in the
// process's working directory.
func TestUploadsNameNoFile(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"secret.bin", "../secret.bin", "/etc/passwd", "*/_ORT_MEM_ADDR_/*", ""} {
		for place, file := range placesOfATensor(elsewhere("location", location, "offset", "0", "length", "8")) {
			_, err := onnx.Read(t.Context(), file)
			var external *onnx.ExternalError
			if !errors.Is(err, onnx.ErrExternal) || !errors.As(err, &external) || !strings.Contains(err.Error(), place) || !strings.Contains(err.Error(), "its data lies in another file") {
				t.Errorf("%s at %q: %v, want ErrExternal that names the place", place, location, err)
			}
		}
	}
	// A tensor that names a file and does not say that it lies there.
	tensor := bytes.TrimSuffix(elsewhere("location", "secret.bin"), varint(14, 1))
	tensor = append(tensor, message(9, make([]byte, 8))...)
	for place, file := range placesOfATensor(tensor) {
		if _, err := onnx.Read(t.Context(), file); !errors.Is(err, onnx.ErrExternal) {
			t.Errorf("%s, with the entries of external data only: %v, want ErrExternal", place, err)
		}
	}
	compiled := modelOf(message(1, nodeOf("E", "EPContext", text(7, "com.microsoft"))))
	if _, err := onnx.Read(t.Context(), compiled); !errors.Is(err, onnx.ErrExternal) || !strings.Contains(err.Error(), "node E (EPContext)") {
		t.Errorf("a node that names what a provider compiled: %v, want ErrExternal that names it", err)
	}
}

// On the command line the data is taken in, wherever the tensor stands, so that what is written names no file.
func TestDataBesideAModelIsTakenIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := []byte{9, 9, 9, 9, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 7}
	for _, name := range []string{"weights.bin", "below/weights.bin"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, location := range []string{"weights.bin", "below/weights.bin"} {
		i := 0
		for place, file := range placesOfATensor(elsewhere("location", location, "offset", "4", "length", "8", "checksum", "unchecked")) {
			path := filepath.Join(dir, "model.onnx")
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			_, out, err := onnx.Load(t.Context(), path)
			if err != nil {
				t.Errorf("%s: %v", place, err)
				continue
			}
			if !bytes.Contains(out, data[4:12]) || bytes.Contains(out, []byte("weights.bin")) {
				t.Errorf("%s: what is written does not hold the data, or names the file", place)
			}
			if _, err := onnx.Read(t.Context(), out); err != nil {
				t.Errorf("%s: what was written is not read again: %v", place, err)
			}
			i++
		}
	}
}

func TestExternalDataStaysInTheFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inside := filepath.Join(dir, "model")
	data := []byte{0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0}
	write := func(path string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "secret.bin"))
	blob := "models--org--net/blobs/" + strings.Repeat("0123456789abcdef", 4)
	write(filepath.Join(dir, filepath.FromSlash(blob)))
	write(filepath.Join(dir, "models--org--net", "blobs", "secret"))
	write(filepath.Join(dir, "blobs", strings.Repeat("0123456789abcdef", 4)))
	write(filepath.Join(inside, "weights.bin"))
	write(filepath.Join(inside, "C:weights.bin"))
	write(filepath.Join(inside, `a\weights.bin`))
	for link, to := range map[string]string{
		"cached.bin": "../" + blob, "link.bin": "weights.bin", // as Hugging Face's cache, and within the folder
		"out.bin": "../secret.bin", "absolute.bin": filepath.Join(dir, "secret.bin"), "folder": "..", "chain.bin": "out.bin",
		"no-blob.bin": "../models--org--net/blobs/secret", "no-cache.bin": "../blobs/" + strings.Repeat("0123456789abcdef", 4),
		"device.bin": "/dev/zero", "loop.bin": "loop.bin", "dangling.bin": "nowhere",
	} {
		if err := os.Symlink(to, filepath.Join(inside, link)); err != nil {
			t.Fatal(err)
		}
	}
	locations := map[string]bool{
		"weights.bin": true, "./weights.bin": true, "link.bin": true, "cached.bin": true,
		"out.bin": false, "absolute.bin": false, "folder/secret.bin": false, "folder/model/weights.bin": true, "chain.bin": false, "no-blob.bin": false, "no-cache.bin": false, "dangling.bin": false,
		"../secret.bin": false, "x/../../secret.bin": false, "x/../weights.bin": false, filepath.Join(dir, "secret.bin"): false, filepath.Join(inside, "weights.bin"): false,
		"missing.bin": false, "": false, ".": false, "..": false, "weights.bin/": false, "/weights.bin": false, "below//weights.bin": false,
		"C:weights.bin": false, `a\weights.bin`: false, `..\secret.bin`: false, "weights.bin\x00": false, "weights\n.bin": false,
		"device.bin": false, "loop.bin": false, strings.Repeat("a/", 3000) + "b": false, "*/_ORT_MEM_ADDR_/*": false,
	}
	if runtime.GOOS != "windows" {
		if err := syscall.Mkfifo(filepath.Join(inside, "pipe.bin"), 0o600); err != nil {
			t.Fatal(err)
		}
		locations["pipe.bin"] = false
	}
	path := filepath.Join(inside, "m.onnx")
	read := func(pairs ...string) (*onnx.Model, error) {
		if err := os.WriteFile(path, modelOf(message(5, elsewhere(pairs...))), 0o600); err != nil {
			t.Fatal(err)
		}
		type result struct {
			m   *onnx.Model
			err error
		}
		done := make(chan result, 1)
		go func() {
			m, err := onnx.ReadFile(t.Context(), path)
			done <- result{m, err}
		}()
		select {
		case r := <-done:
			return r.m, r.err
		case <-time.After(time.Minute): // a pipe that nobody writes to
			t.Fatalf("%v: it is still being read", pairs)
			return nil, nil
		}
	}
	for location, ok := range locations {
		m, err := read("location", location, "offset", "4")
		switch {
		case ok && err != nil:
			t.Errorf("location %q: %v", location, err)
		case ok:
			if got, err := m.Graph.Initializers[0].Float32s(); err != nil || got[0] != 1 {
				t.Errorf("location %q: %v, %v; want 1", location, got, err)
			}
		case !errors.Is(err, onnx.ErrExternal):
			t.Errorf("location %q: got %v, want ErrExternal", location, err)
		}
	}
	for _, wrong := range [][]string{
		{"offset", "-4"}, {"offset", "+4"}, {"offset", "4.0"}, {"offset", "0x4"}, {"offset", ""}, {"offset", "5"}, {"offset", "9223372036854775807"}, {"offset", "18446744073709551616"},
		{"length", "-1"}, {"length", "-8"}, {"length", "7"}, {"length", "9"}, {"length", "9223372036854775807"}, {"length", "eight"},
		{"basepath", "/etc"}, {"prepacked_0", "x"}, {"", ""}, {"location", "weights.bin"},
	} {
		if _, err := read(append([]string{"location", "weights.bin"}, wrong...)...); !errors.Is(err, onnx.ErrExternal) {
			t.Errorf("%v: got %v, want ErrExternal", wrong, err)
		}
	}
}

// A model keeps what it holds in graphs of attributes, functions and elsewhere, byte for byte where it is in the usual order.
func TestGraphsInAttributesSurvive(t *testing.T) {
	t.Parallel()
	unknown := text(1007, "new")
	tensor := slices.Concat(varint(1, 1), varint(2, 1), text(8, "w"), message(9, []byte{0, 0, 0x80, 0x3f}), unknown)
	for place, file := range placesOfATensor(tensor) {
		m, err := onnx.Read(t.Context(), file)
		if err != nil {
			t.Errorf("%s: %v", place, err)
			continue
		}
		for _, out := range [](func() ([]byte, error)){m.Marshal, m.Clone().Marshal} {
			if got, err := out(); err != nil || !bytes.Equal(got, file) {
				t.Errorf("%s: %v\nread  %x\nwrote %x", place, err, file, got)
			}
		}
	}
}

// A model that came with its data is read from what was sent and from nothing else, whatever lies in the folder.
func TestDataThatWasSentWithAModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := path("incoming-1", []byte{0, 0, 0, 0, 0, 0, 128, 63, 0, 0, 0, 64})
	other := path("incoming-2", make([]byte, 12))
	path("w.bin", []byte{1, 2, 3, 4, 5, 6, 7, 8}) // lies there and was not sent
	for name, c := range map[string]struct {
		location string
		sent     []onnx.SentFile
		refused  string
	}{
		"by its name":                 {"w.bin", []onnx.SentFile{{Name: "w.bin", Path: right}, {Name: "v.bin", Path: other}}, ""},
		"by its folders":              {"b/w.bin", []onnx.SentFile{{Name: "net/a/w.bin", Path: other}, {Name: "net/b/w.bin", Path: right}}, ""},
		"of another system":           {"b/w.bin", []onnx.SentFile{{Name: `net\a\w.bin`, Path: other}, {Name: `net\b\w.bin`, Path: right}}, ""},
		"without its folders":         {"b/w.bin", []onnx.SentFile{{Name: "w.bin", Path: right}}, ""},
		"not sent":                    {"w.bin", []onnx.SentFile{{Name: "v.bin", Path: right}}, "not sent"},
		"twice":                       {"w.bin", []onnx.SentFile{{Name: "a/w.bin", Path: right}, {Name: "b/w.bin", Path: right}}, "2 files"},
		"too short":                   {"w.bin", []onnx.SentFile{{Name: "w.bin", Path: path("short", make([]byte, 5))}}, "the file has 5 bytes"},
		"of another folder's file":    {"../w.bin", []onnx.SentFile{{Name: "w.bin", Path: right}}, "outside the model's folder"},
		"of a file of the machine":    {"/etc/passwd", []onnx.SentFile{{Name: "passwd", Path: right}}, "outside the model's folder"},
		"a name that only ends alike": {"w.bin", []onnx.SentFile{{Name: "xw.bin", Path: right}}, "not sent"},
	} {
		file := modelOf(message(5, elsewhere("location", c.location, "offset", "4", "length", "8")))
		m, err := onnx.ReadSent(t.Context(), file, c.sent)
		if c.refused != "" {
			if !errors.Is(err, onnx.ErrExternal) || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v, want ErrExternal: %s", name, err, c.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := m.Graph.Initializers[0].Raw; !slices.Equal(got, []byte{0, 0, 128, 63, 0, 0, 0, 64}) {
			t.Errorf("%s: read %v", name, got)
		}
		if s := m.Sources(); len(s) != 1 || s[0] != (onnx.DataSource{Location: c.location, Bytes: 8}) {
			t.Errorf("%s: from %v", name, s)
		}
	}
}

// A model of more than 2 GiB is refused by its size before any of its values is fetched, and one that fits as it is but no longer when it
// is written with what training adds, before it is trained.
func TestAModelBeyondTwoGiB(t *testing.T) {
	t.Parallel()
	var tensors []byte
	for _, name := range []string{"a", "b", "c"} { // 1 GiB each
		tensors = append(tensors, message(5, varint(1, 1<<14), varint(1, 1<<14), varint(2, 1), text(8, name), message(13, text(1, "location"), text(2, "w.data")), varint(14, 1))...)
	}
	fetched := 0
	_, err := onnx.ReadWith(t.Context(), modelOf(tensors), func(*onnx.Tensor, string, int64) error { fetched++; return nil })
	if !errors.Is(err, onnx.ErrTooLarge) || !strings.Contains(err.Error(), "its values take 3.00 GiB") || fetched > 0 {
		t.Errorf("reading: %v, %d tensors were fetched", err, fetched)
	}

	deep := func(layers int) error {
		m := smallABN{}.model()
		last := "g"
		for i := range layers {
			name := string(rune('A' + i))
			m.Graph.Nodes = slices.Insert(m.Graph.Nodes, 2+i, node("Conv", last+" "+name+".weight", name))
			m.Graph.Nodes[2+i].Name, last = name, name
			m.Graph.Initializers = append(m.Graph.Initializers, &onnx.Tensor{Name: name + ".weight", Type: onnx.Float, Dims: []int64{1 << 14, 1 << 14, 1, 1}})
		}
		m.Graph.Initializers[len(m.Graph.Initializers)-layers].Dims[1] = 4
		for _, t := range m.Graph.Initializers {
			if t.Name == "a.weight" || t.Name == "p.weight" {
				t.Dims[1] = 1 << 14
			}
		}
		for _, n := range m.Graph.Nodes {
			for i, in := range n.Inputs {
				if in == "g" && n.Name != "A" {
					n.Inputs[i] = last
				}
			}
		}
		parts, err := onnx.FindParts(t.Context(), m, onnx.PartNames{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = onnx.Split(t.Context(), m, parts)
		return err
	}
	if err := deep(2); err != nil {
		t.Errorf("1 GiB: %v", err)
	}
	if err := deep(3); !errors.Is(err, onnx.ErrTooLarge) || !strings.Contains(err.Error(), "its values take 2.01 GiB. What the studio trains is written as one file") {
		t.Errorf("2 GiB: %v", err)
	}

	path := filepath.Join(t.TempDir(), "large")
	for head, says := range map[string]string{"\x08\x08": "can hold: it has 3.00 GiB", "PK\x03\x04 archive/data.pkl": "a PyTorch checkpoint"} {
		if err := errors.Join(os.WriteFile(path, []byte(head), 0o600), os.Truncate(path, 3<<30)); err != nil {
			t.Fatal(err)
		}
		if _, err := onnx.ReadFile(t.Context(), path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("a file of 3 GiB: %v, want %s", err, says)
		}
	}
}
