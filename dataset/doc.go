// Package dataset reads labelled pictures as they lie on disk: image folders, tables, the layouts of public data sets and of
// labelling programs, archives of them, and folders of edited attention maps. Pictures are found by their
// names and are not opened, except where masks must be told from empty ones. It writes only what it unpacks; Dataset.Close removes that.
//
//	dataset.go     Dataset, Sample and Options; Open and Read
//	layouts.go     the layouts: how each is told (Auto) and read; what is refused by name
//	words.go       words for splits, folders and columns
//	files.go       walking: what is a picture, what is passed over and why, links, names in NFC
//	folder.go      split/class/image, class/split/image, class/image
//	metadata.go    metadata tables and lists of splits beside an image folder
//	table.go       tables row by row, CSV; lines.go JSON Lines
//	columns.go     where a table keeps what, and what a row says of its image
//	manifest.go    tables of files, and finding what they name
//	cub.go         Caltech-UCSD Birds 200 (2010); cub2011.go (2011)
//	idrid.go       Indian Diabetic Retinopathy Image Dataset
//	imagenet.go    ILSVRC and Tiny ImageNet
//	json.go        large JSON documents piece by piece, and what kind they are
//	coco.go, fiftyone.go, labelstudio.go  what those programs export
//	webdataset.go, parquet.go, unpack.go  pictures inside other files: shards, Parquet, zip and tar
//	parquet_check.go  what a Parquet file may say of itself
//	bucket.go      fetching what lies below a prefix in S3 or Azure
//	object.go      what shows the object in a picture, whichever it is
//	mask.go        object masks: which values mean the object
//	marks.go       boxes, polygons, runs and points, and drawing them as masks; boxes.go Pascal VOC's XML
//	mat.go         MATLAB files of level 5, within bounds
//	maps.go        edited attention maps: .npy, grey .png, .npz; npy.go what arrays are maps
//	aviary/        the demo's generator and model
//
// A new layout is a row of layouts (layouts.go): fits says by what files it is recognised, in words for people, and read reads it.
//
// Files that are passed over are counted with the reason (Skipped), and so are files that a table names and the disk lacks (Missing).
// How something unclear was read is noted (Notes). All three are part of the answer. An error means that the data set as a whole
// cannot be used; it names the file, the line and the remedy.
package dataset
