package confound

import "image"

// window is the square of a photograph of this size that a picture shows, given the box of the object in it. Its side is the
// photograph's shorter one. Where beyond is true and the object is longer than that, it is as long as the object and reaches beyond the
// photograph.
func window(size image.Point, object image.Rectangle, beyond bool) image.Rectangle {
	side := min(size.X, size.Y)
	if beyond {
		side = max(side, object.Dx(), object.Dy())
	}
	x := offset(size.X, object.Min.X, object.Max.X, side)
	y := offset(size.Y, object.Min.Y, object.Max.Y, side)
	return image.Rect(x, y, x+side, y+side)
}

// offset is where a stretch of side pixels begins on an axis of n pixels on which the object is from low to high.
func offset(n, low, high, side int) int {
	if side >= n {
		const near = 50 // the object is cut by the photograph's edge if it is this share of n from it
		switch cutLow, cutHigh := low <= n/near, high >= n-n/near; {
		case cutLow && !cutHigh:
			return 0
		case cutHigh && !cutLow:
			return n - side
		}
		return (n - side) / 2
	}
	if high-low > side {
		return min(max((low+high-side)/2, 0), n-side)
	}
	return min(max((n-side)/2, high-side), low)
}

// boxOf is the smallest rectangle, on a grid of this size, around what a mask shows by more than half.
func boxOf(mask *image.Gray, size image.Point) image.Rectangle {
	width, height := mask.Rect.Dx(), mask.Rect.Dy()
	box := image.Rectangle{Min: image.Pt(width, height)}
	for y := range height {
		for x, v := range mask.Pix[y*mask.Stride : y*mask.Stride+width] {
			if v >= half {
				box.Min.X, box.Min.Y = min(box.Min.X, x), min(box.Min.Y, y)
				box.Max.X, box.Max.Y = max(box.Max.X, x+1), max(box.Max.Y, y+1)
			}
		}
	}
	if box.Min.X >= box.Max.X {
		return image.Rectangle{Max: size} // shades alone
	}
	up := func(v, to, of int) int { return (v*to + of - 1) / of }
	return image.Rect(box.Min.X*size.X/width, box.Min.Y*size.Y/height, up(box.Max.X, size.X, width), up(box.Max.Y, size.Y, height))
}

// half is the opacity from which on a pixel is the object's.
const half = 128
