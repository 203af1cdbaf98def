package templates

import (
	"fmt"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// qrQuiet is how many modules around a QR code are left free (ISO/IEC 18004).
const qrQuiet = 4

// qrCode is a text as a QR code: the path of its dark modules, one unit each, and the width of all with the quiet zone; "" where it does not
// fit into one.
func qrCode(content string) (path string, width int) {
	code, err := qr.Encode(content, qr.M, qr.Auto)
	if err != nil {
		return "", 0
	}
	var out strings.Builder
	size := code.Bounds().Dx()
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size {
				if r, _, _, _ := code.At(x, y).RGBA(); r != 0 {
					break
				}
				x++
			}
			if x > from {
				fmt.Fprintf(&out, "M%d %dh%dv1h-%dz", from+qrQuiet, y+qrQuiet, x-from, x-from)
			}
		}
	}
	return out.String(), size + 2*qrQuiet
}

// grouped is a secret as people type it, in groups of four.
func grouped(secret string) string {
	var groups []string
	for len(secret) > 4 {
		groups, secret = append(groups, secret[:4]), secret[4:]
	}
	return strings.Join(append(groups, secret), " ")
}
