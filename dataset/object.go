package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"slices"
	"strings"

	"github.com/abn-studio/studio/internal/picture"
)

// HasMask reports whether the data set shows where the object is in a picture.
func (d *Dataset) HasMask(s Sample) bool {
	return s.Mask != "" || s.Marks.Shows() || slices.ContainsFunc(s.Parts, d.isObject)
}

// isObject reports whether the masks of a part's kind are the object's. A part without a kind is one of several masks of the object.
func (d *Dataset) isObject(part Part) bool {
	return part.Kind == "" || slices.Contains(d.options.Parts, part.Kind)
}

// joined reads the union of the masks whose kinds are the object's.
func (d *Dataset) joined(ctx context.Context, s Sample, use func(*image.Gray) error) error {
	var all *image.Gray
	for _, part := range s.Parts {
		if !d.isObject(part) {
			continue
		}
		rule, _ := d.ruleFor(s, part.Path)
		err := Mask(ctx, part.Path, rule, func(mask *image.Gray) error {
			if all == nil {
				all = &image.Gray{Pix: slices.Clone(mask.Pix), Stride: mask.Stride, Rect: mask.Rect}
				return nil
			}
			if mask.Rect != all.Rect {
				return fmt.Errorf("it has %v pixels, and the one before %v", mask.Rect.Size(), all.Rect.Size())
			}
			for i, v := range mask.Pix {
				all.Pix[i] = max(all.Pix[i], v)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return use(all)
}

// ObjectMask calls use with a picture's object mask, as Mask does. It is the picture's mask, or else its box, polygons or runs, drawn at
// the picture's size.
func (d *Dataset) ObjectMask(ctx context.Context, s Sample, use func(*image.Gray) error) error {
	marks := s.Marks
	switch suffix(s.Mask) {
	case "":
		if slices.ContainsFunc(s.Parts, d.isObject) {
			return d.joined(ctx, s, use)
		}
	case ".mat":
		bird, err := readBirdFile(s.Mask)
		if err != nil {
			return fmt.Errorf("reading mask %s: %w", s.Mask, err)
		}
		if bird.mask != nil {
			return use(bird.mask)
		}
		marks = &Marks{Boxes: []Box{bird.box}}
	case ".xml":
		boxes, err := readBoxes(s.Mask)
		if err != nil {
			return fmt.Errorf("reading boxes %s: %w", s.Mask, err)
		}
		marks = &Marks{Boxes: boxes}
	default:
		rule, _ := d.ruleFor(s, s.Mask)
		return Mask(ctx, s.Mask, rule, use)
	}
	if !marks.Shows() {
		return fmt.Errorf("%s has no mask", s.Name)
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return fmt.Errorf("drawing the mask: %w", err)
	}
	defer f.Close()
	header, err := picture.Process().Header(f)
	if err != nil {
		return fmt.Errorf("drawing the mask of %s: %w", s.Name, err)
	}
	return use(marks.Draw(header.Width, header.Height))
}

// describeMasks reads a few of the masks and notes how they were read if that is not obvious. A mask that is ErrMask is an error.
func (d *Dataset) describeMasks() error {
	if d.options.Mask != nil {
		return nil
	}
	var masks []Sample
	for _, s := range d.All() {
		if s.Mask != "" && suffix(s.Mask) != ".mat" && suffix(s.Mask) != ".xml" {
			masks = append(masks, s)
		}
		if len(masks) == 1000 {
			break
		}
	}
	for _, s := range masks {
		d.legendOf(s.Mask)
	}
	for _, odd := range d.legends.odd {
		d.note("", "%s", odd)
	}
	const looked = 3
	for i := range min(looked, len(masks)) {
		s := masks[i*(len(masks)-1)/max(1, looked-1)]
		file := s.Mask
		rule, words := d.ruleFor(s, file)
		how, err := readMask(context.Background(), file, rule, func(*image.Gray) error { return nil })
		if how == byLegend {
			how = words
		}
		if errors.Is(err, ErrMask) && len(d.legends.odd) > 0 {
			return fmt.Errorf("%w; %s", err, d.legends.odd[0])
		}
		if errors.Is(err, ErrMask) {
			return err
		}
		if err == nil && how != "" {
			d.note(strings.TrimPrefix(strings.TrimPrefix(file, d.Dir), "/"), "mask: %s; others are named with --mask-object", how)
			return nil
		}
	}
	return nil
}
