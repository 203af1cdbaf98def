// Package confound makes image folders in which something beside the object goes with the class in training and tells nothing
// elsewhere, so that it can be measured what maps are worth where a network is misled. There are two kinds.
//
// Confounded: objects are cut out of their photographs by their masks and put on photographs of places, after the recipe of Waterbirds
// (Sagawa et al., Distributionally Robust Neural Networks, 2020, arXiv:1911.08731, appendix C.1). Each class has a home place.
//
// Decoy: photographs stay as they are, and a mark is put into them whose colour goes with the class, as hospital tags, watermarks and
// rulers do (decoy MNIST: Ross, Hughes and Doshi-Velez, Right for the Right Reasons, 2017, arXiv:1703.03717). The mark has a mask of its
// own: there people mark "do not look here". Each class has a home colour.
//
// A cue is either: a place or a colour. The class k of K in alphabetical order has the home k mod P of P cues, also in alphabetical
// order (colours in the order of Colours): with more classes than cues several classes share a home, with fewer the spare cues are home
// to nobody.
//
//   - train: the strength is the share of each class's pictures that is at home, rounded so that it is the share of all; the others are dealt evenly to the other cues;
//   - validation, pool: the cues are dealt evenly to each class;
//   - test: every object with every cue.
//
// No photograph is in two splits: objects are divided by class, the photographs of places by place, and of files with the same bytes
// one is used. Training and pool share photographs of places; validation and test have their own. The splits of a data set of objects
// are not kept; those of a folder of places are: its test and validation photographs are the test's and validation's. If it has one of
// the two, that is the test's.
//
// A made picture is a square. Of the object's photograph it shows the square of its shorter side that has the object in it. A confounded
// picture shows a larger one where the object is longer than that: what is beyond the photograph is place. Objects that the photograph's
// edge cuts stay at the square's edge. A cut out object's edge is blended: its mask, in the picture's pixels,
// is softened by a pixel. The masks that are written have these shades.
//
// Files of a set in OUT:
//
//	images/SPLIT/CLASS/NNNN.png   the pictures: an image folder
//	images/metadata.csv           each picture's group, for readers of images/
//	masks/SPLIT/CLASS/NNNN.png    where the object is: white, of what the picture shows of it
//	annotations/decoys/…          where the mark is, in a set of decoys
//	metadata.csv                  each picture's class, split, group, object, cue, home, and the photographs that it is made of
//	study.json                    Study: options, classes and homes, counts, digests
//	README.md                     the same for people
//
// The same options on the same data make the same bytes on every machine: all arithmetic on pixels is in integers or fixed point, and
// what is drawn at random follows from the seed and the name of what it is drawn for.
//
//	options.go   Options, their bounds and defaults
//	source.go    what is usable of a data set and of a folder of places
//	window.go    which square of a photograph a picture shows
//	plan.go      which picture shows what
//	decoy.go     the marks
//	compose.go   one picture and its masks
//	make.go      Make: the folder
//	study.go     Study, and the table of the pictures
package confound
