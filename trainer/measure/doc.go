// Package measure says how good networks are, and how sure one can be that one is better than another.
//
//	kinds.go         every measure's name, words, range, definition and source
//	rows.go          Row, what is known of one image, and the table of figures that rows give: accuracies, worst classes and groups
//	calibration.go   the reliability diagram and the expected calibration error
//	localise.go      a map against an object's mask and against another map
//	of_map.go        what is measured of one map
//	agreement.go     how alike the maps are that several people paint of the same images, its ceiling and its floor
//	wrong_reason.go  how active a map is where it must not be
//	perturb.go       deletion and insertion
//	compare.go       two networks on the same images
//	bootstrap.go     paired intervals of a difference, over images and over seeds and images
//	significance.go  McNemar's test, and Holm's adjustment where many are made
//	arms.go          the arms of a round: which one without maps counts, and what the maps are worth against it
//	evaluate.go      a network's answers on samples
//	drift.go         how far maps moved on images that were right and stay so
//	measure.go       what is compared between parent, control and candidate, and the sentence about it
//	verdict.go       which classes gained and lost, and the reliability diagrams of a round
//	row_files.go     the rows of a round as JSON Lines and as CSV
//
// docs/measures.md says when to look at which. What needs no network is a function of probabilities, maps and masks alone.
//
// Networks are given as a Forwarder, so that a training engine and a network that is only run are measured in the same way.
package measure
