// Package forecast says, before any training, whether painting maps is likely to pay: from what a network answers to images that have an
// edited map when that map, another image's map or a flat one stands in the place of its own (Mitsuhara et al., arXiv 1905.03540, section 3).
//
//	rows.go     RowInPlace: a network's answers to one image under each map; all figures follow from rows
//	table.go    TableOf: rows → counts, shares and differences with intervals
//	verdict.go  likely, unclear or unlikely: the bounds, the sentence, and what would pay instead
//	pairs.go    which confusions the maps mend
//	curve.go    LearningCurveOf: what rounds gained by how many maps they had, and what more maps would add
//
// The command (studio study edits), the worker that makes a project's forecast and its page have these from here; package trainer runs the
// network.
package forecast
