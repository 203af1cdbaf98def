package postgres

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/abn-studio/studio/annotator"
)

// keptProbabilities is how many classes' probabilities a prediction keeps, the largest, where it has more than twice as many: up to there, those of all
// take no more room, since beside a part of them stands whose they are.
const keptProbabilities = 100

// kept is what a prediction keeps of its K probabilities: those of classes, the most probable first, or those of all where classes is nil.
type kept struct {
	classes []int32
	values  []byte // little-endian float32
}

func keep(probabilities []float32) kept {
	if len(probabilities) <= 2*keptProbabilities {
		return kept{nil, bytesOf(probabilities)}
	}
	top := annotator.TopClasses(probabilities, keptProbabilities)
	classes, values := make([]int32, len(top)), make([]float32, len(top))
	for i, one := range top {
		classes[i], values[i] = int32(one.Class), one.Probability
	}
	return kept{classes, bytesOf(values)}
}

// of returns the probabilities of K classes, in their order, 0 where one was not kept. It uses the room of into.
func (k kept) of(classes int, into []float32) []float32 {
	values := floats(k.values)
	if k.classes == nil {
		return values
	}
	all := slices.Grow(into[:0], classes)[:classes]
	clear(all)
	for i, class := range k.classes {
		if i < len(values) && int(class) < classes {
			all[class] = values[i]
		}
	}
	return all
}

// probabilityOf is, in SQL, the bytes of the probability that the prediction p keeps of a class; null of one that it does not keep.
func probabilityOf(class string) string {
	return `substring(p.probabilities FROM 4 * CASE WHEN p.kept_classes IS NULL THEN ` + class + ` ELSE array_position(p.kept_classes, ` + class + `) - 1 END + 1 FOR 4)`
}

// bytesOf converts float32 values to little-endian bytes; floats converts them back.
func bytesOf(values []float32) []byte {
	out := make([]byte, 0, 4*len(values))
	for _, v := range values {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
	}
	return out
}

func floats(data []byte) []float32 {
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out
}
