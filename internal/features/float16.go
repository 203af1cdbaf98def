package features

import (
	"encoding/binary"
	"math"
	"sync"
)

// maxFloat16 is the largest magnitude that rounds to a finite float16: 65504 plus less than half a step.
const maxFloat16 = 65520

// float16FromFloat32 rounds to the nearest IEEE 754 binary16, ties to even; magnitudes of 65520 and
// more become infinite, NaN stays NaN.
func float16FromFloat32(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits >> 16 & 0x8000)
	bits &= 0x7fffffff
	switch {
	case bits >= 0x47800000: // 2¹⁶ and more, infinity, NaN
		if bits > 0x7f800000 {
			return sign | 0x7e00
		}
		return sign | 0x7c00
	case bits < 0x38800000: // below 2⁻¹⁴: subnormal. Adding ½ puts the last kept bit at 2⁻²⁴, and the
		// processor's own addition rounds to even there.
		return sign | uint16(math.Float32bits(math.Float32frombits(bits)+0.5)-0x3f000000)
	}
	odd := bits >> 13 & 1
	bits += 0xc8000fff + odd // exponent bias 127 → 15 (wraps), and just under half of the last kept bit
	return sign | uint16(bits>>13)
}

// float16Values is every float16 as float32: 256 KiB, so that decoding is one load a value.
var float16Values = sync.OnceValue(func() *[1 << 16]float32 {
	table := new([1 << 16]float32)
	for i := range table {
		exponent, fraction := i>>10&0x1f, i&0x3ff
		var v float64
		switch exponent {
		case 0:
			v = math.Ldexp(float64(fraction), -24)
		case 0x1f:
			v = math.Inf(1)
			if fraction != 0 {
				v = math.NaN()
			}
		default:
			v = math.Ldexp(float64(fraction|0x400), exponent-25)
		}
		if i&0x8000 != 0 {
			v = -v
		}
		table[i] = float32(v)
	}
	return table
})

// encodeFloat16 writes src to dst (2 bytes a value, little-endian). It reports false if a value would become infinite; dst is
// then not to be used.
func encodeFloat16(dst []byte, src []float32) bool {
	for i, v := range src {
		if v >= maxFloat16 || v <= -maxFloat16 {
			return false
		}
		binary.LittleEndian.PutUint16(dst[2*i:], float16FromFloat32(v))
	}
	return true
}

// decodeFloat16 is the inverse of encodeFloat16; it is exact.
func decodeFloat16(dst []float32, src []byte) {
	table := float16Values()
	for i := range dst {
		dst[i] = table[binary.LittleEndian.Uint16(src[2*i:])]
	}
}
