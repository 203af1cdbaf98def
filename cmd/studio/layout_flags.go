package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/abn-studio/studio/dataset"
)

// layoutFlags say how a data set is read, the same for every command that reads one.
type layoutFlags struct {
	Format string `help:"Layout of the data set: ${formats}; auto tells it by its files, says which it took, and refuses where two fit." enum:"${formats}" default:"auto" group:"Data set"`
	readingFlags
}

// readingFlags are the options of every layout.
type readingFlags struct {
	Columns     map[string]string `help:"Columns of a table that are not called by their usual names: file, class, split, group, mask or cluster, and the column's name; without a name, it is not read." placeholder:"class=species;split=fold" group:"Data set"`
	Splits      map[string]string `help:"Words for splits, of folders or tables, and what they mean." placeholder:"fold1=train;fold2=test" group:"Data set"`
	Encoding    string            `help:"How tables and lists are written that are neither UTF-8 nor UTF-16, such as windows-1252 or shift_jis." placeholder:"NAME" group:"Data set"`
	FollowLinks bool              `help:"Follow symbolic links that stay inside the data set's folder." group:"Data set"`
	MaskObject  string            `help:"What in a mask means the object: values (1,3-5), colours (#800000), or shades of grey; auto tells, and says how." default:"auto" placeholder:"VALUES" group:"Data set"`
	Label       string            `help:"What the class of an image with several labels is: largest, the one of its largest annotation (COCO); whole, all that a table's cell holds, such as 'robin;red', as the name of one class. Without it, such images are refused." enum:",largest,whole" default:"" placeholder:"largest|whole" group:"Data set"`
	Parts       []string          `help:"Kinds of masks that together are the object's, where there are several of an image (IDRiD's lesions)." placeholder:"KIND" group:"Data set"`
}

// formatNames lists the formats for help and enum.
func formatNames() string {
	return strings.Join(append([]string{dataset.Auto}, dataset.Formats()...), ", ")
}

// options returns the flags as options for package dataset.
func (f readingFlags) options(format string) (dataset.Options, error) {
	rule, err := dataset.ParseMaskRule(f.MaskObject)
	if err != nil {
		return dataset.Options{}, fmt.Errorf("--mask-object: %w", err)
	}
	return dataset.Options{
		Format: format, FollowLinks: f.FollowLinks, Encoding: f.Encoding, Columns: f.Columns, Splits: f.Splits, Mask: rule, Parts: f.Parts, Label: f.Label,
	}, nil
}

// read reads a data set and prints to say how it was read. The caller closes the data set.
func (f layoutFlags) read(dir string, say io.Writer) (*dataset.Dataset, error) {
	options, err := f.options(f.Format)
	if err != nil {
		return nil, err
	}
	set, err := dataset.Read(dir, options)
	if err != nil {
		return nil, err
	}
	if f.Format == dataset.Auto {
		fmt.Fprintf(say, "read as %s\n", set.Why)
	}
	for _, note := range set.Notes[:min(5, len(set.Notes))] {
		fmt.Fprintf(say, "  %s\n", noteLine(note))
	}
	if rest := len(set.Notes) - 5; rest > 0 {
		fmt.Fprintf(say, "  and %d more notes; studio import --dry-run lists them\n", rest)
	}
	return set, nil
}

// noteLine returns a note or a problem as a line for people.
func noteLine(p dataset.Problem) string {
	if p.Path == "" {
		return p.Reason
	}
	return p.Path + ": " + p.Reason
}
