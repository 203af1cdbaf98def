package attention

// SoftIoU is Σ min ÷ Σ max of two maps on one grid over the cells that carry a value in edited, in [0,1] (Ruzicka, 1958; the Jaccard index of
// weighted sets). Negative values count as 0. ok is false where both are zero.
func SoftIoU(m, edited Map) (iou float64, ok bool) {
	var low, high float64
	for i, v := range m.Values {
		if edited.Marks.At(i) != Valued {
			continue
		}
		a, b := max(0, float64(v)), max(0, float64(edited.Values[i]))
		low, high = low+min(a, b), high+max(a, b)
	}
	if high == 0 {
		return 0, false
	}
	return low / high, true
}
