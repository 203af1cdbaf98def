package t81

// block is 64 coefficients, rows from the lowest vertical frequency.
type block [64]int16

// zigzag is where the k-th coefficient of a scan stands in a block.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// The constants of the transform, in 13 bits.
const (
	f0298 = 2446
	f0390 = 3196
	f0541 = 4433
	f0765 = 6270
	f0899 = 7373
	f1175 = 9633
	f1501 = 12299
	f1847 = 15137
	f1961 = 16069
	f2053 = 16819
	f2562 = 20995
	f3072 = 25172
)

// idct dequantizes a block and writes its 8×8 samples. It is the accurate integer transform of libjpeg (jidctint.c), after
// Loeffler, Ligtenberg and Moschytz (1989): 13-bit constants, 2 more bits kept between columns and rows.
func idct(to []uint8, stride int, b *block, quant *[64]uint16) {
	var s [64]int
	for x := range 8 {
		var c [8]int
		for y := range 8 {
			c[y] = int(b[8*y+x]) * int(quant[8*y+x])
		}
		for y, v := range butterflies(c) {
			s[8*y+x] = (v + 1<<10) >> 11
		}
	}
	for y := range 8 {
		row := to[y*stride:][:8]
		for x, v := range butterflies([8]int(s[8*y:])) {
			row[x] = uint8(min(max((v+1<<17)>>18+128, 0), 255))
		}
	}
}

// butterflies is the transform of 8 values, scaled up by 2¹³·√8.
func butterflies(c [8]int) (out [8]int) {
	z := (c[2] + c[6]) * f0541
	even2, even3 := z-c[6]*f1847, z+c[2]*f0765
	even0, even1 := (c[0]+c[4])<<13, (c[0]-c[4])<<13
	a, b, d, e := even0+even3, even1+even2, even1-even2, even0-even3

	z1, z2, z3, z4 := c[7]+c[1], c[5]+c[3], c[7]+c[3], c[5]+c[1]
	z5 := (z3 + z4) * f1175
	z1, z2 = -z1*f0899, -z2*f2562
	z3, z4 = z5-z3*f1961, z5-z4*f0390
	odd0 := c[7]*f0298 + z1 + z3
	odd1 := c[5]*f2053 + z2 + z4
	odd2 := c[3]*f3072 + z2 + z3
	odd3 := c[1]*f1501 + z1 + z4
	return [8]int{a + odd3, b + odd2, d + odd1, e + odd0, e - odd0, d - odd1, b - odd2, a - odd3}
}
