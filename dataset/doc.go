// Package dataset reads labelled pictures as they lie on disk: image folders, tables, the layouts of public data sets and of
// labelling programs, archives and buckets of them, and folders of edited attention maps. Pictures are recognised by their names and
// first bytes and are not decoded; only masks are, where it matters whether they are empty. The package writes only what it unpacks or
// fetches, into temporary folders that Dataset.Close removes.
//
//	dataset.go     Dataset, Sample and Options; Open and Read
//	samples.go     the samples: rows and text, and what is made of them when one is looked at
//	layouts.go     the layouts: how each is recognised (Auto) and read
//	words.go       words for splits, folders and columns
//	files.go       walking folders: what is a picture, what is skipped and why, links, names in NFC
//	folder.go      split/class/image, class/split/image, class/image; shape.go which of them it is
//	metadata.go    metadata tables and lists of splits beside an image folder
//	table.go       tables row by row, CSV; lines.go JSON Lines
//	tables.go      finding the tables of files in a folder
//	columns.go     finding a table's columns, and reading an image's labels from a row; flags.go columns such as is_valid
//	several.go     several labels an image: how tables write them, one-hot columns, and how they are refused
//	folders.go     folders that say something else than the table
//	pairs.go       masks that are found by their names
//	names.go       the names of classes whose labels are numbers, from a file beside them; classes.go classes that may be mistakes
//	manifest.go    tables of files; placer.go finding what they name
//	unread.go      layouts and files of labels that are refused by name
//	cub.go         Caltech-UCSD Birds 200 (2010); cub2011.go (2011)
//	idrid.go       Indian Diabetic Retinopathy Image Dataset
//	imagenet.go    ILSVRC and Tiny ImageNet
//	lists.go       public data sets with lists or MATLAB files of their own (Pets, DTD, Aircraft, Flowers, Cars)
//	filemap.go     JSON of files and their classes
//	json.go        reading large JSON documents piece by piece, and telling their kinds apart
//	coco.go, fiftyone.go, labelstudio.go  what those programs export
//	webdataset.go, parquet.go, unpack.go  pictures inside other files: shards, Parquet, zip and tar
//	parquet_check.go  refusing Parquet files whose lengths and counts do not fit them
//	bucket.go      fetching the files below a prefix in S3, Google's storage or Azure; gcs.go the driver for Google's
//	object.go      an object's mask, made of whatever shows the object; seen.go what is found in masks on the way
//	arrays.go      masks that are numpy's arrays
//	mask.go        object masks: which values mean the object; legend.go legends of their colours
//	marks.go       boxes, polygons, runs and points, and drawing them as masks; boxes.go Pascal VOC's XML
//	mat.go         MATLAB files of level 5, within bounds
//	maps.go        edited attention maps: .npy, grey .png, .npz; npy.go which arrays are maps
//	aviary/        the demo's generator and model
//
// A new layout is a row of layouts (layouts.go): its fits recognises it by its files and says so in words for people, and its read
// reads it.
//
// Files that are not used are listed with the reason (Skipped), files that a table names and that do not exist too (Missing). How
// something unclear was read is noted (Notes). An error means that the data set as a whole cannot be used; it names the file, the
// line and the remedy.
package dataset
