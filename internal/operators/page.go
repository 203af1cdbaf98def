package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/exports"
	"github.com/abn-studio/studio/internal/families"
	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/internal/recipe"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/gradient"
	"github.com/abn-studio/studio/trainer"
	"github.com/abn-studio/studio/trainer/gorgonia"
)

const head = `# Operators

<!-- Written by internal/operators from the code itself: make generate. -->

What becomes of each ONNX operator of a network that is added to the studio. ` + "`studio model inspect`" + ` says it of one file, node by node.

- **Runs.** Networks run on ONNX Runtime, and every operator it has runs. An extractor may hold any of them: it is never
  differentiated. What stands between the features and the losses has to have a shape that can be told without running it; the table lists the operators for
  which it can, and whether the runtime opens one, asked of it at operator set 26.
- **Differentiates.** With ` + "`ort`" + `, the engine that is the default, a training step is an ONNX graph with gradient nodes
  (` + "`onnx/gradient`" + `). Every rule is compared with central finite differences by a test that fails where a rule has no example
  (` + "`onnx/gradient/examples_test.go`" + `: odd shapes, strides with leftover rows, dilation, groups, ceil_mode, padded and uneven
  windows; at larger sizes along random directions with a fourth-order difference). ` + "`gorgonia`" + ` is the second engine, with a
  differentiation of its own. On x86-64 ` + "`ort`" + ` computes much of a step in operators of its own over blocks of channels (ADR 10), which tests hold to the
  standard ones; what can be differentiated is the same.
- **Operator sets.** 7 to 26 are read (IR version up to 13; beyond, the runtime opens nothing); gradients are written in 17, to which older files are raised first, or in the file's own. A model of 6 or older, and
  ` + "`Scan`, `Loop`" + ` and a ` + "`TopK`" + ` before 10 in a trained branch, are refused with the node's name.
- **Answers.** Logits of two classes or more, one of which is right, or their softmax. One logit and sigmoids are refused, with what to export: ADR 19.
- **Types.** Image, features, map and logits are float32. Weights that are stored in float16 or bfloat16 and cast to float32 where they are used are taken: a trained file has those of the branches in float32. What computes in float16 is refused, and so are weights in float64, and a branch that convolves in it.
- **Maps.** An output of shape (N,1,h,w), or the one value inside that features (N,C,h,w) are multiplied with between the two answers. Where that cannot be told, names settle it: ` + "`--map`, `--features`, `--logits-att`, `--logits-per`" + ` on every
  command that opens a model, the same in the browser's form and the API, or the manifest's ` + "`names`" + `. Maps whose values are not from 0 to 1 run and train as they are; projects show and draw them from 0 to 1.
- **Skips.** The branches read features and map. A branch that reads something else of the extractor (a feature pyramid, a class token) is refused with the node's name.
- **BatchNorm** may be folded, kept, or in training mode; files exported in training mode are run, and split, in evaluation mode.
- **Equal tensors.** Exporters write equal tensors once, which in an untrained network are most. Each layer gets its own, and a trained file has
  them as further initializers.
`

// page is docs/operators.md; root is the top folder of the checkout.
func page(root string) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(head)
	if err := operators(&out); err != nil {
		return nil, err
	}
	if err := covered(&out, root); err != nil {
		return nil, err
	}
	if err := further(&out, root); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func operators(out *bytes.Buffer) error {
	refused := map[string][]string{}
	for _, f := range refusedForms() {
		why, err := f.reason()
		if err != nil {
			return err
		}
		refused[f.op] = append(refused[f.op], fmt.Sprintf("not %s (%s)", f.name, why))
	}
	ort, gorgonia := gradient.Operators(), gorgonia.Operators()
	all := map[string]bool{}
	for _, list := range [][]string{onnx.InferredOperators(), ort, gorgonia} {
		for _, op := range list {
			all[op] = true
		}
	}
	fmt.Fprintf(out, "\n## The table\n\n%d operators whose shapes are known; `ort` differentiates %d of them, `gorgonia` %d. An empty field: it runs, and ends a gradient, which is right for comparisons, signs and rounding: their derivative is 0.\n\n",
		len(all), len(ort), len(gorgonia))
	out.WriteString("| operator | runs | `ort` differentiates | `gorgonia` differentiates | not in these forms with `ort` |\n|---|---|---|---|---|\n")
	yes := func(list []string, op string) string {
		if slices.Contains(list, op) {
			return "yes"
		}
		return ""
	}
	if ok, why := runs("Relu"); !ok {
		return fmt.Errorf("ONNX Runtime is needed to say what it runs: %s", why)
	}
	for _, op := range slices.Sorted(maps.Keys(all)) {
		opens := "no"
		if ok, _ := runs(op); ok {
			opens = "yes"
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", op, opens, yes(ort, op), yes(gorgonia, op), strings.Join(refused[op], "; "))
	}
	out.WriteString("\nBoth engines have some operators in some forms only; the error, and `model inspect`, name the node and say which. A condition common to all that move a window: height and width " +
		"must be known, as they are once the image's size is.\n")
	return nil
}

// covered tells of onnx/testdata/families.
func covered(out *bytes.Buffer, root string) error {
	list, err := families.List(filepath.Join(root, "onnx", "testdata", "families"))
	if err != nil {
		return err
	}
	type row struct {
		opsets                                         map[int64]bool
		norm, batch, gain, maps, head, answers, export map[string]bool
		channels, grid, classes                        int
		exports                                        int
		gorgonia, asked                                int
	}
	rows, order := map[string]*row{}, []string{}
	for _, f := range list {
		key := f.Family + ", " + f.Size
		r := rows[key]
		if r == nil {
			r = &row{opsets: map[int64]bool{}, channels: f.Channels, grid: f.Height, classes: f.Classes}
			for _, set := range []*map[string]bool{&r.norm, &r.batch, &r.gain, &r.maps, &r.head, &r.answers, &r.export} {
				*set = map[string]bool{}
			}
			rows[key], order = r, append(order, key)
		}
		r.exports++
		r.opsets[f.Opset] = true
		r.norm[f.Norm], r.gain[string(f.WantGain())], r.head[f.Head], r.answers[f.Answers] = true, true, true, true
		r.batch[map[bool]string{true: "open", false: "fixed"}[f.Batch == "dynamic"]] = true
		r.maps[map[bool]string{true: "(N,1,h,w)", false: "(N,h,w)"}[f.Map == "grid"]] = true
		r.export[map[string]string{"trace": "traced", "export": "torch.export"}[f.Exporter]] = true
		if f.Size == "full" {
			continue
		}
		lacks, err := gorgoniaLacks(f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		r.asked++
		if !lacks {
			r.gorgonia++
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { return strings.Compare(a[strings.Index(a, ", "):], b[strings.Index(b, ", "):]) })
	fmt.Fprintf(out, "\n## The networks that are tested\n\n%d exports by PyTorch 1.13 and 2.11 of Attention Branch Networks over the published families, kept without their weights "+
		"(`onnx/testdata/families`). Of each the parts are found, it is split, every shape is told, nothing in it is untrainable, and its step compiles by "+
		"both strategies and as a whole from pixels (`onnx/families_test.go`, `trainer/step/families_test.go`). The narrow ones (\"small\") are also run by `ort` (`trainer/onnxruntime/families_test.go`), every third in each test run and all with `STUDIO_ALL_FAMILIES=1`: "+
		"the losses of two steps, and the whole loss's gradient by finite differences through all parameters. The last column counts for how many of them `gorgonia` has every operator, in its form.\n\n", len(list))
	out.WriteString("| family, size | exports | features | K | operator sets | exporter | BatchNorm | batch | gain | map | head | outputs | `gorgonia` |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	names := func(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), ", ") }
	for _, key := range order {
		r := rows[key]
		var opsets []string
		for _, o := range slices.Sorted(maps.Keys(r.opsets)) {
			opsets = append(opsets, fmt.Sprint(o))
		}
		second := ""
		if r.asked > 0 {
			second = fmt.Sprintf("%d of %d", r.gorgonia, r.asked)
		}
		fmt.Fprintf(out, "| %s | %d | %d×%d×%d | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", key, r.exports, r.channels, r.grid, r.grid, r.classes,
			strings.Join(opsets, ", "), names(r.export), names(r.norm), names(r.batch), names(r.gain), names(r.maps), names(r.head), names(r.answers), second)
	}
	out.WriteString("\nHeads: \"published\" has BatchNorms, a 3×3 convolution to the map and one more before the pooling of the logits; \"short\" has BatchNorms and a 1×1 convolution; \"plain\" has no BatchNorm.\n")
	return nil
}

// further tells of onnx/testdata/exports.
func further(out *bytes.Buffer, root string) error {
	list, err := exports.List(filepath.Join(root, "onnx", "testdata", "exports"))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n## What else people's networks do\n\n%d small networks by PyTorch 2.15 with their weights and right answers (`onnx/testdata/exports`; `export.py` there says what each is). "+
		"Those that are taken were taken apart, their answers compared with ONNX Runtime's of the file as it is (to 1e-5, by parts and as a whole), trained for a step of both branches, written, read again and asked again. "+
		"A gain that is `other` is the network's own and stays in the perception branch. `STUDIO_CASES=FOLDER go test ./internal/exports` does the same with any folder of such files.\n\n", len(list))
	columns := []string{"export", "operator set", "gain", "map: where it was found, and between what its values are", "refused"}
	tableHead(out, columns)
	for _, c := range list {
		found, err := c.Check(context.Background())
		if err != nil {
			return fmt.Errorf("%s: %w", c.Name, err)
		}
		tableRow(out, c.Row(found).Cells())
	}
	tried, err := exports.Tried(root)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d more exports failed or misled when they were first tried. They are somebody's and not part of the project; each is of a kind with one of those above. "+
		"This is what became of them when the test above was last given their folder (`internal/exports/testdata/tried.json`, which that test compares):\n\n", len(tried))
	tableHead(out, slices.Insert(columns, 1, "of a kind with"))
	for _, r := range tried {
		tableRow(out, slices.Insert(r.Cells(), 1, r.Kin))
	}
	return nil
}

func tableHead(out *bytes.Buffer, columns []string) {
	tableRow(out, columns)
	out.WriteString(strings.Repeat("|---", len(columns)) + "|\n")
}

func tableRow(out *bytes.Buffer, cells []string) {
	for _, cell := range cells {
		out.WriteString(strings.TrimRight("| "+cell, " ") + " ")
	}
	out.WriteString("|\n")
}

// gorgoniaLacks reports whether the second engine cannot train an export by both branches.
func gorgoniaLacks(f families.Family) (bool, error) {
	m, err := f.Structure()
	if err != nil {
		return false, err
	}
	opened, err := network.Open(context.Background(), m, manifest.Manifest{})
	if err != nil {
		return false, err
	}
	s := recipe.Defaults()
	s.Engine = recipe.EngineGorgonia
	reasons, err := trainer.Lacks(context.Background(), opened.ABN(), s)
	return len(reasons) > 0, err
}
