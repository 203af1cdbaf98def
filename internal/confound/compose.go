package confound

import (
	"context"
	"fmt"
	"image"
	"slices"

	"github.com/abn-studio/studio/dataset"
	"github.com/abn-studio/studio/internal/random"
)

// made is a picture with its masks.
type made struct {
	picture *image.RGBA
	object  *image.Gray
	decoy   *image.Gray // even black where there is none
}

// compose makes the pictures of a scene, one after the other.
func (s scene) compose(ctx context.Context, images *dataset.Dataset, o Options, use func(shot, made) error) error {
	photograph, err := s.object.pixels(ctx, o.Size)
	if err != nil {
		return fmt.Errorf("reading %s again: %w", s.object.sample.Name, err)
	}
	mask, err := s.object.opacity(ctx, images, o.Size)
	if err != nil {
		return fmt.Errorf("reading the mask of %s again: %w", s.object.sample.Name, err)
	}
	if o.Kind == Confounded {
		feather(mask)
	}
	whiten(mask)
	for _, shot := range s.shots {
		m := made{picture: image.NewRGBA(photograph.Rect), object: image.NewGray(mask.Rect), decoy: image.NewGray(mask.Rect)}
		copy(m.object.Pix, mask.Pix)
		switch {
		case o.Kind == Confounded:
			behind, err := shot.photograph.pixels(ctx, o.Size)
			if err != nil {
				return fmt.Errorf("reading %s again: %w", shot.photograph.name, err)
			}
			blend(m.picture, photograph, behind, mask)
		case shot.cue == bare:
			copy(m.picture.Pix, photograph.Pix)
		default:
			copy(m.picture.Pix, photograph.Pix)
			m.decoy = drawDecoy(m.picture, m.object, o.Shape, o.Thickness, Colours[shot.cue], random.New(o.Seed, "decoy", shot.File))
		}
		if err := use(shot, m); err != nil {
			return err
		}
	}
	return nil
}

// blend lays a picture over another, with the opacity that a mask says: 255 all, 0 none. All have the same size.
func blend(out, over, under *image.RGBA, opacity *image.Gray) {
	for i, v := range opacity.Pix {
		a := int(v)
		p, q, to := over.Pix[4*i:4*i+3], under.Pix[4*i:4*i+3], out.Pix[4*i:4*i+4]
		for c := range 3 {
			to[c] = uint8((int(p[c])*a + int(q[c])*(255-a) + 127) / 255)
		}
		to[3] = 255
	}
}

// feather softens the steps of a mask's edge, which would show around an object on another ground: each pixel becomes the mean of its
// neighbours with the weights 1, 2, 1 along both axes.
func feather(mask *image.Gray) {
	side := mask.Rect.Dx()
	pass := func(step, across int) {
		line := make([]int, side+2)
		for i := range side {
			for j := range side {
				line[j+1] = int(mask.Pix[i*across+j*step])
			}
			line[0], line[side+1] = line[1], line[side]
			for j := range side {
				mask.Pix[i*across+j*step] = uint8((line[j] + 2*line[j+1] + line[j+2] + 2) / 4)
			}
		}
	}
	pass(1, side)
	pass(side, 1)
}

// whiten makes the brightest shade of a mask white, if none is: readers of masks take a few shades without white for indices of classes.
func whiten(mask *image.Gray) {
	brightest := slices.Max(mask.Pix)
	for i, v := range mask.Pix {
		if v == brightest {
			mask.Pix[i] = 255
		}
	}
}
