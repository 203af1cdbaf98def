package aviary

import (
	"image"

	"github.com/abn-studio/studio/internal/random"
)

// picture draws one picture and its mask: grey, the bird's opacity.
func picture(p Picture, seed int64) (*image.NRGBA, *image.Gray) {
	r := random.New(seed, p.Name)
	var c canvas
	var mask [Side * Side]uint8
	c.paint(r, p.Scene)
	size := r.Between(minBird, maxBird)
	margin := size/2 - 2
	c.stamp(spriteNamed("birds/"+p.Bird.Name), pose{
		x8:       r.Between(margin<<8, (Side-margin)<<8),
		y8:       r.Between(margin<<8, (Side-margin)<<8),
		size:     size,
		degrees:  r.Between(-25, 25),
		mirrored: r.Chance(50),
		tint:     newTint(r.Between(-20, 20), r.Between(10, 100), r.Between(50, 110)),
	}, &mask)
	c.grain(r, 3)
	out := image.NewNRGBA(image.Rect(0, 0, Side, Side))
	for i := range Side * Side {
		copy(out.Pix[4*i:4*i+3], c.pix[3*i:3*i+3])
		out.Pix[4*i+3] = 255
	}
	grey := image.NewGray(image.Rect(0, 0, Side, Side))
	copy(grey.Pix, mask[:])
	return out, grey
}

// The bird's longer side, in pixels: 0.32 to 0.55 of the picture's.
const (
	minBird = 36
	maxBird = 62
)
