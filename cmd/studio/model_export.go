package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/abn-studio/studio/internal/manifest"
	"github.com/abn-studio/studio/internal/network"
	"github.com/abn-studio/studio/onnx"
	"github.com/abn-studio/studio/onnx/statedict"
)

// modelExportCommand writes a network for other programs, or its weights for PyTorch.
type modelExportCommand struct {
	File         string `arg:"" help:"The network, an ONNX file, such as finetune or a version's page gives it." type:"existingfile"`
	ExternalData bool   `help:"Write values of more than 256 bytes into a file beside the network, NAME.onnx.data, as torch.onnx.export does." xor:"form"`
	StateDict    bool   `help:"Write a state_dict, for load_state_dict in PyTorch, in place of an ONNX file." xor:"form"`
	Reference    string `help:"The state_dict of the module that the network was exported from, .safetensors or .npz: needed where the exporter folded BatchNorms or changed names." type:"existingfile" placeholder:"FILE"`
	Parent       string `help:"The ONNX file that was fine-tuned, as it was exported. With it layers are recognised by their exact values: give it if you have it." type:"existingfile" placeholder:"FILE.onnx"`
	Copies       bool   `help:"Modules with equal weights in the reference are separate modules, and not one module with two names, if the file does not show which."`
	Out          string `help:"Where to write: .onnx, one file with its manifest inside and without absolute paths of the machine that it was made on; with --state-dict .safetensors or .npz." required:"" type:"path" placeholder:"FILE"`
	partFlags
	JSON bool `name:"json" help:"Print one JSON document."`
}

// exported is what --json prints.
type exported struct {
	Out string `json:"out"`
	*statedict.Report
}

// Run writes the file.
func (c *modelExportCommand) Run(ctx context.Context, streams *stdio) error {
	if !c.StateDict {
		return c.writeONNX(ctx, streams)
	}
	if err := statedict.Writable(c.Out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	read := append(wholeModel("the network", c.File), namedFile{"--reference", c.Reference})
	if c.Parent != "" {
		read = append(read, wholeModel("--parent", c.Parent)...)
	}
	if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, read); err != nil {
		return err
	}
	model, err := onnx.ReadFile(ctx, c.File)
	if err != nil {
		return err
	}
	options := statedict.Options{Copies: c.Copies, Frozen: c.frozen(ctx, model)}
	if c.Reference != "" {
		if options.Reference, err = statedict.ReadFile(c.Reference); err != nil {
			return err
		}
	}
	if c.Parent != "" {
		if options.Parent, err = onnx.ReadFile(ctx, c.Parent); err != nil {
			return err
		}
	}
	dict, report, err := statedict.Export(ctx, model, options)
	if errors.Is(err, statedict.ErrNeedsReference) {
		err = fmt.Errorf("%w: give it with --reference original.safetensors", err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if err := dict.WriteFile(c.Out); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(streams.Out, exported{c.Out, report})
	}
	printExported(streams.Out, c, report)
	return nil
}

// frozen names the tensors of an ABN that no fine-tuning changes; none if its parts are not found, since that is not known then.
func (c *modelExportCommand) frozen(ctx context.Context, model *onnx.Model) []string {
	m, err := manifest.Load(c.File, model.MetadataValue)
	if err != nil && !errors.Is(err, manifest.ErrManifest) {
		return nil
	}
	opened, err := network.Open(ctx, model, c.over(m))
	if err != nil {
		return nil
	}
	return opened.Frozen()
}

// epsilonText lists the ε of BatchNorms: "1e-05 and 0.001".
func epsilonText(list []float64) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = fmt.Sprintf("%g", e)
	}
	return strings.Join(texts, " and ")
}

func printExported(w io.Writer, c *modelExportCommand, r *statedict.Report) {
	if c.Reference == "" {
		fmt.Fprintf(w, "%s: %d tensors, by the names they have in %s\n", c.Out, r.Tensors, c.File)
	} else {
		fmt.Fprintf(w, "%s: %d tensors, %d of them trained, the others as in %s\n", c.Out, r.Tensors, len(r.Trained), c.Reference)
	}
	if r.Folded > 0 {
		fmt.Fprintf(w, "%d trained BatchNorms were folded into convolutions, and are apart again (ε = %s); folded anew, no weight differs by more than %.2g of its channel's largest\n", r.Folded, epsilonText(r.Epsilon), r.Largest)
	}
	if len(r.Rescale) > 0 {
		fmt.Fprintf(w, "channels that γ = 0 had switched off have been trained, and have another γ now: %s\n", onnx.Enumerate(r.Rescale, ", "))
	}
	if len(r.Kept) > 0 {
		fmt.Fprintf(w, "the network does not read %d of the reference's tensors, which are kept as they are: %s\n", len(r.Kept), onnx.Enumerate(r.Kept, ", "))
	}
	fmt.Fprintln(w, "load it with model.load_state_dict(…, strict=True), which says if anything is missing")
}
