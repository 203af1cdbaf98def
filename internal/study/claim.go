package study

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/durable"
	"github.com/abn-studio/studio/internal/recipe"
)

// studyFile says of what a study's folder is.
const studyFile = "study.json"

// claimed is what all rounds of a folder have alike. Rounds of other settings or pictures would be taken for answers to another question.
type claimed struct {
	Settings recipe.Settings   `json:"settings"`
	Left     []string          `json:"left_to_the_studio"`
	Training int               `json:"training"`
	Limit    int               `json:"limit"`
	Pictures map[string]string `json:"pictures"` // by seed: a digest of names, labels and sizes of pictures and masks
}

// claim writes down what the folder's study is of, or refuses a folder of another study.
func (c Rounds) claim(b *workbench) error {
	is := claimed{Settings: c.Settings, Left: c.Left, Training: c.Training, Limit: c.Limit, Pictures: map[string]string{}}
	for seed := range c.Seeds {
		digest, err := b.digest(int64(seed + 1))
		if err != nil {
			return err
		}
		is.Pictures[strconv.Itoa(seed+1)] = digest
	}
	path := filepath.Join(c.Out, studyFile)
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		var was claimed
		if err := json.Unmarshal(text, &was); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if old, err := json.Marshal(claimed{was.Settings, was.Left, was.Training, was.Limit, is.Pictures}); err != nil || !same(old, is) {
			return errors.Join(err, fmt.Errorf("%s holds a study with other settings, arms, --training or --limit: give another --out, or the settings in its %s", c.Out, studyFile))
		}
		for seed, digest := range was.Pictures {
			if now, has := is.Pictures[seed]; has && now != digest {
				return fmt.Errorf("%s holds a study of other pictures (seed %s): give another --out", c.Out, seed)
			}
			is.Pictures[seed] = digest
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if text, err = json.MarshalIndent(is, "", "  "); err != nil {
		return err
	}
	return durable.WriteFile(path, append(text, '\n'))
}

func same(text []byte, c claimed) bool {
	other, err := json.Marshal(c)
	return err == nil && bytes.Equal(text, other)
}

// digest is one of the pictures of a seed and their masks: of names, labels, splits, groups and sizes.
func (b *workbench) digest(seed int64) (string, error) {
	set, err := b.set(seed)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, s := range set.All() {
		info, err := os.Stat(s.Path)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, s.Name, s.Class, s.Split, s.Group, s.Cluster, info.Size())
	}
	if b.Masks == "" {
		return hex.EncodeToString(sum.Sum(nil)), nil
	}
	dir := ofSeed(b.Masks, seed)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			fmt.Fprintln(sum, filepath.ToSlash(name), info.Size())
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// checkWithin refuses a group that no held-out image of a seed is in, before the first hour.
func (c Rounds) checkWithin(b *workbench) error {
	if c.Within == "" {
		return nil
	}
	for seed := range c.Seeds {
		set, err := b.set(int64(seed + 1))
		if err != nil {
			return err
		}
		groups := map[string]bool{}
		for _, s := range set.All() {
			if s.Split == dataset.Test {
				groups[s.Group] = true
			}
		}
		if err := hasGroup(groups, c.Within); err != nil {
			return err
		}
	}
	return nil
}
