package main

import (
	"fmt"
	"slices"

	"github.com/abn-studio/studio/internal/study"
)

// subjectFlags are the networks and pictures of a campaign of rounds.
type subjectFlags struct {
	Networks []string `arg:"" optional:"" help:"ONNX files, classifiers or ABNs, each with its manifest, or folders of them; without any the demo's network." type:"existing" placeholder:"FILE"`
	Images   string   `help:"Folder of labelled pictures with the splits train, pool and test; without it Aviary's are drawn. {seed} in it is replaced by the seed, so that each has pictures of its own." type:"path"`
	Format   string   `help:"Layout of the data set: ${formats}." enum:"${formats}" default:"auto"`
	Masks    string   `help:"Folder of object masks named after the images, {seed} in it replaced as in --images: edits are made of them, and maps are measured by them." type:"path"`
	Gains    []string `help:"Mechanisms that a classifier is given, of ${enum}." enum:"M,1+M" default:"M,1+M"`
	Seeds    int      `help:"Number of seeds, from 1 on; a seed decides new layers, order and augmentation." default:"${seed_count}"`
	Training int      `help:"Epochs in which the branches of an attached classifier are trained, by AdamW on mirrored images." default:"20"`
	Limit    int      `help:"At most so many images of train and of test, every n-th; 0: all." default:"0"`
}

func (f subjectFlags) subjects() study.Subjects {
	return study.Subjects{
		Networks: f.Networks, Images: f.Images, Format: f.Format, Masks: f.Masks, Gains: f.Gains, Seeds: f.Seeds, Training: f.Training, Limit: f.Limit,
	}
}

// check refuses numbers that are out of bounds.
func (f subjectFlags) check(parallel int, edits []int) error {
	for _, n := range []struct {
		flag         string
		value, least int
	}{{"--seeds", f.Seeds, 1}, {"--training", f.Training, 1}, {"--limit", f.Limit, 0}, {"--parallel", parallel, 0}, {"--edits", slices.Min(edits), 0}} {
		if n.value < n.least {
			return fmt.Errorf("%s is %d, want at least %d", n.flag, n.value, n.least)
		}
	}
	return nil
}
