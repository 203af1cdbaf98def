// Package attention holds Map, the value everything else in the studio is about:
// where an Attention Branch Network looks, as one number per cell of the model's own grid.
//
//	map.go   Map and its checks
//	marks.go Marks: which cells of an edited map carry no value, because the person does not know, or says not to look there
//	area.go  what lies under the cells of a grid, by area: of an object's mask, of part of a map
//	network.go  what a network does with its map: its branches and its mechanism
//	start.go Start: the map that a person begins with, of a mask or of clicks
//
// The package is a leaf: it imports nothing of the project and everything may import it.
package attention
