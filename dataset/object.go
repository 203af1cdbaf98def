package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
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

// ErrNoObject is returned for a mask that shows no object: nothing is known of where it is.
var ErrNoObject = errors.New("the mask shows no object")

// ObjectMask calls use with a picture's object mask, as Mask does. It is the picture's mask, or else its box, polygons or runs, drawn at
// the picture's size. It lies over the picture as that is stored: one that was made on the picture as its EXIF orientation shows it is
// turned. What is found is counted (MasksSeen); a mask without an object is ErrNoObject.
func (d *Dataset) ObjectMask(ctx context.Context, s Sample, use func(*image.Gray) error) error {
	header := headerOf(s.Path)
	err := d.findMask(ctx, s, header, func(mask *image.Gray, file string) error {
		mask = d.seen.fit(mask, s.Name, file, header)
		if isBlack(mask) {
			return ErrNoObject
		}
		d.seen.judge(mask, s.Name, file)
		return use(mask)
	})
	d.seen.count(s.Name, err)
	return err
}

// findMask calls use with a mask as it was made, and its file; "" where it is drawn.
func (d *Dataset) findMask(ctx context.Context, s Sample, header picture.Header, use func(mask *image.Gray, file string) error) error {
	marks := s.Marks
	switch suffix(s.Mask) {
	case "":
		if slices.ContainsFunc(s.Parts, d.isObject) {
			return d.joined(ctx, s, func(mask *image.Gray) error { return use(mask, s.Parts[0].Path) })
		}
	case ".mat":
		bird, err := readBirdFile(s.Mask)
		if err != nil {
			return fmt.Errorf("reading mask %s: %w", s.Mask, err)
		}
		if bird.mask != nil {
			return use(bird.mask, s.Mask)
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
		return Mask(ctx, s.Mask, rule, func(mask *image.Gray) error { return use(mask, s.Mask) })
	}
	if !marks.Shows() {
		return fmt.Errorf("%s has no mask", s.Name)
	}
	if header.Width == 0 {
		return fmt.Errorf("drawing the mask of %s: the picture cannot be read", s.Name)
	}
	width, height := marks.size()
	if shown, high := header.Shown(); width == shown && height == high {
		return use(marks.Draw(shown, high), "")
	}
	if width == 0 && header.Orientation > 1 {
		d.seen.bare(s.Name)
	}
	if width > 0 && (width != header.Width || height != header.Height) {
		d.seen.scale(s.Name, width, height, header)
	}
	return use(marks.Draw(header.Width, header.Height), "")
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
