package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/manifest"
)

// modelManifestCommand writes a manifest from files that other libraries keep.
type modelManifestCommand struct {
	From    []string `help:"A file that says how pixels become the network's input: preprocessor_config.json or config.json of Hugging Face, timm's pretrained_cfg, torchvision's transforms.json. Several are combined; what an earlier file says counts." type:"existingfile" placeholder:"FILE" required:""`
	Classes string   `help:"The classes, in the order of the logits: a file with one a line or JSON, or a folder of labelled pictures, whose classes are taken in their order." type:"path" placeholder:"DIR|FILE"`
	Out     string   `help:"File to write; NAME.json beside NAME.onnx is where every command looks. Without it, it is printed." type:"path" placeholder:"FILE"`
	layoutFlags
}

// Run composes the manifest, checks it and writes it.
func (c *modelManifestCommand) Run(_ context.Context, streams *stdio) error {
	var read []namedFile
	var files []manifest.Source
	for _, path := range c.From {
		source, err := readSource(path)
		if err != nil {
			return err
		}
		files, read = append(files, source), append(read, namedFile{"--from", path})
	}
	composed, err := manifest.Compose(files)
	if err != nil {
		return err
	}
	m, err := manifest.Stored(composed)
	if err != nil {
		if len(c.From) == 1 { // Compose returns a single manifest unchanged
			return fmt.Errorf("%s: %w", c.From[0], err)
		}
		return err
	}
	if c.Classes != "" {
		if m.Classes, err = c.classes(streams.Err); err != nil {
			return err
		}
		read = append(read, namedFile{"--classes", c.Classes})
	}
	if composed, err = json.Marshal(m); err != nil {
		return err
	}
	if m, err = manifest.Parse(composed); err != nil {
		var wrong *manifest.Error
		if errors.As(err, &wrong) && len(m.Classes) == 0 && wrong.Field == "classes" {
			return errors.New("none of the files names the classes: give them with --classes")
		}
		return err
	}
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if c.Out == "" {
		_, err = verbatim(streams.Out).Write(text)
		return err
	}
	if err := refuseOverwriting([]namedFile{{"--out", c.Out}}, read); err != nil {
		return err
	}
	if err := durable.WriteFile(c.Out, text); err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "%s: resize %v, crop %d×%d, %s %s, mean %v, std %v, %d classes\n",
		c.Out, m.Resize, m.Crop[0], m.Crop[1], m.Interpolation, m.Channels, m.Mean, m.Std, len(m.Classes))
	return nil
}

// readSource reads a file that a manifest is made of.
func readSource(path string) (manifest.Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return manifest.Source{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, manifest.MaxBytes+1))
	if err == nil && len(text) > manifest.MaxBytes {
		err = fmt.Errorf("%s is larger than %d MiB", path, manifest.MaxBytes>>20)
	}
	return manifest.Source{Name: path, Text: text}, err
}

// classes returns the classes of a file or of a folder of pictures.
func (c *modelManifestCommand) classes(say io.Writer) ([]string, error) {
	info, err := os.Stat(c.Classes)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		set, err := c.read(c.Classes, say)
		if err != nil {
			return nil, err
		}
		defer set.Close()
		return set.Classes, nil
	}
	source, err := readSource(c.Classes)
	if err != nil {
		return nil, err
	}
	m, err := manifest.ClassList(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Classes, err)
	}
	return m, nil
}
