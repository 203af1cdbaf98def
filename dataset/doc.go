// Package dataset reads labelled pictures as they lie on disk: image folders, the layouts of public
// data sets, and folders of edited attention maps. It opens no picture to find it, except where a
// layout's masks must be told from empty ones, and it never writes.
//
//	dataset.go   Dataset and Sample; Open
//	folder.go    split/class/image and class/image, with an optional metadata.csv
//	cub.go       Caltech-UCSD Birds 200 (2010)
//	idrid.go     Indian Diabetic Retinopathy Image Dataset
//	table.go     a CSV table of files, and metadata.csv
//	files.go     walking: what is a picture, and what is passed over and why
//	maps.go      edited attention maps: .npy, grey .png, .npz
//	npy.go       the npy format, read within bounds
//	mask.go      object masks: reading them
//	aviary/      the demo's generator and model
//
// What is passed over is counted with its reason (Skipped); what a list or label file names and the
// disk lacks is counted too (Missing). Both are part of the answer, not errors: an error means that
// the data set as a whole cannot be used.
package dataset
