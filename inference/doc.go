// Package inference runs an Attention Branch Network on pictures: it turns files into the network's
// input exactly as torchvision would, runs the network's three parts on ONNX Runtime, scans whole
// collections, and scores a map while a person paints it.
//
// Axes: N batch, C channels, h×w map, H×W image, K classes. All arrays are row-major float32.
//
//	decode.go, raster.go                      a file's bytes (by package picture) → 8-bit RGB, as PIL decodes it
//	resample.go, preprocess.go                RGB → [3,H,W], as torchvision resizes, crops and normalises
//	region.go                                 a rectangle of a picture, and of its mask, for pictures that are made of others
//	network.go                                extractor, attention branch, perception branch
//	check.go                                  whether the runtime knows a network, without running it
//	trial.go                                  whether its answers are of use, by running it on test pictures
//	scan.go, progress.go                      many pictures → predictions and maps, streamed
//	score.go                                  live scores, from g(x) in memory (annotator.Scorer)
//	activation_map.go                         CAM and Grad-CAM of either branch (annotator.ActivationMapper)
//	likeness.go                               how alike the places of a picture are to the network (annotator.Likener)
//	segmenter_graphs.go, segmenter.go         an interactive segmenter: how its graphs are fed, and its answers to clicks (annotator.Segmenting)
//	open_cache.go                             networks and such graphs kept open, the least recently used closed
//	pictures.go                               what people are shown (annotator.Pictures)
package inference
