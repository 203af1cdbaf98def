package dataset_test

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abn-studio/studio/dataset"
)

// Public data sets and competitions, each in its official shape with few files.
func TestPublicDataSets(t *testing.T) {
	t.Parallel()
	const voc = "<annotation><object><name>cat</name></object></annotation>"
	for name, c := range map[string]struct {
		files map[string]string
		says  string // in a note
		want  []string
	}{
		"Roboflow's classes": {map[string]string{"train/1.png": "", "train/2.png": "", "train/_classes.csv": "filename, cat, dog\n1.png, 1, 0\n2.png, 0, 1\n", "valid/3.png": "", "valid/_classes.csv": "filename, cat, dog\n3.png, 1, 0\n", "README.roboflow.txt": "x"},
			"class from the column of 2 that is 1", []string{"train|cat|train/1.png", "train|dog|train/2.png", "validation|cat|valid/3.png"}},
		"Roboflow's boxes": {map[string]string{"train/1.png": "", "train/_annotations.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\n1.png,4,4,cat,1,1,3,3\n1.png,4,4,cat,0,0,2,2\n", "valid/3.png": "", "valid/_annotations.csv": "filename,width,height,class,xmin,ymin,xmax,ymax\n3.png,4,4,dog,1,1,3,3\n"},
			"", []string{"train|cat|train/1.png", "validation|dog|valid/3.png"}},
		"FiftyOne's splits": {map[string]string{"train/data/1.png": "", "train/labels.json": `{"classes":["cat","dog"],"labels":{"1":0}}`, "validation/data/1.png": "", "validation/labels.json": `{"classes":["cat","dog"],"labels":{"1":1}}`},
			"", []string{"train|cat|train/data/1.png", "validation|dog|validation/data/1.png"}},
		"FiftyOne's folders": {map[string]string{"cat/1.png": "", "_unlabeled/2.png": ""}, "its images are unlabelled", []string{"||_unlabeled/2.png", "|cat|cat/1.png"}},
		"FiftyOne's COCO": {map[string]string{"train/data/1.png": "", "train/labels.json": `{"images":[{"id":1,"file_name":"1.png"}],"categories":[{"id":7,"name":"cat"}],"annotations":[{"image_id":1,"category_id":7,"bbox":[1,1,2,2]}]}`, "test/data/x.png": "", "test/labels.json": `{"images":[{"id":1,"file_name":"x.png"}],"categories":[{"id":7,"name":"cat"}],"annotations":[{"image_id":1,"category_id":7,"bbox":[1,1,2,2]}]}`},
			"", []string{"train|cat|train/data/1.png", "test|cat|test/data/x.png"}},
		"Label Studio, other names": {map[string]string{"1.png": "", "p.json": `[{"photo":"/data/upload/1/0a1b2c3d-1.png","id":1,"animal":"cat","annotator":1,"annotation_id":1,"created_at":"x","updated_at":"y","lead_time":1.0}]`}, "", []string{"|cat|1.png"}},
		"NABirds": {map[string]string{"images/0295/a.png": "", "images/0296/b.png": "", "images.txt": "0000139e-21dc-4d0c-bfe1-4cae3c85c829 0295/a.png\n0000d9fc-4e02-4c06-a0af-a55cfb16b12b 0296/b.png\n", "image_class_labels.txt": "0000139e-21dc-4d0c-bfe1-4cae3c85c829 817\n0000d9fc-4e02-4c06-a0af-a55cfb16b12b 860\n",
			"train_test_split.txt": "0000139e-21dc-4d0c-bfe1-4cae3c85c829 0\n0000d9fc-4e02-4c06-a0af-a55cfb16b12b 1\n", "classes.txt": "0 Birds\n817 Oak Titmouse\n860 Cactus Wren\n", "bounding_boxes.txt": "0000139e-21dc-4d0c-bfe1-4cae3c85c829 1 1 2 2\n", "hierarchy.txt": "817 0\n", "parts/parts.txt": "0 bill\n", "parts/part_locs.txt": "0000139e-21dc-4d0c-bfe1-4cae3c85c829 0 1 1 1\n"},
			"", []string{"train|Cactus Wren|images/0296/b.png", "test|Oak Titmouse|images/0295/a.png"}},
		"Stanford Dogs": {map[string]string{"Images/n02085620-Chihuahua/1.png": "", "Images/n02085782-Japanese_spaniel/2.png": "", "Annotation/n02085620-Chihuahua/1": voc, "Annotation/n02085782-Japanese_spaniel/2": voc, "lists/train_list.mat": "x"},
			"", []string{"|n02085620-Chihuahua|Images/n02085620-Chihuahua/1.png", "|n02085782-Japanese_spaniel|Images/n02085782-Japanese_spaniel/2.png"}},
		"Caltech 101": {map[string]string{"101_ObjectCategories/BACKGROUND_Google/1.png": "", "101_ObjectCategories/ant/1.png": "", "Annotations/ant/annotation_0001.mat": "x"},
			"", []string{"|BACKGROUND_Google|101_ObjectCategories/BACKGROUND_Google/1.png", "|ant|101_ObjectCategories/ant/1.png"}},
		"faces with and without masks": {map[string]string{"Train/Mask/1.jpg.png": "", "Train/Non Mask/2.png": "", "Test/Mask/3.png": "", "Test/Non Mask/4.png": ""},
			"", []string{"train|Mask|Train/Mask/1.jpg.png", "train|Non Mask|Train/Non Mask/2.png", "test|Mask|Test/Mask/3.png", "test|Non Mask|Test/Non Mask/4.png"}},
		"faces, otherwise": {map[string]string{"mask/1.jpg.png": "", "mask/2.png": "", "nomask/1.jpg.png": ""}, "", []string{"|mask|mask/1.jpg.png", "|mask|mask/2.png", "|nomask|nomask/1.jpg.png"}},
		"COCO of another machine": {map[string]string{"images/1.png": "", "images/2.png": "", "coco.json": `{"images":[{"id":1,"file_name":"/home/x/images/1.png"},{"id":2,"file_name":"C:\\x\\images\\2.png"}],"categories":[{"id":7,"name":"cat"}],"annotations":[{"image_id":1,"category_id":7,"bbox":[1,1,2,2]},{"image_id":2,"category_id":7,"bbox":[1,1,2,2]}]}`},
			"paths of another place", []string{"|cat|images/1.png", "|cat|images/2.png"}},
		"HAM10000": {map[string]string{"HAM10000_images_part_1/ISIC_1.png": "", "HAM10000_images_part_2/ISIC_2.png": "", "HAM10000_metadata.csv": "lesion_id,image_id,dx,dx_type,age\nHAM_1,ISIC_1,bkl,histo,80\nHAM_2,ISIC_2,nv,histo,70\n", "hmnist_8_8_L.csv": "pixel0000,pixel0001,label\n1,2,3\n"},
			"hmnist_8_8_L.csv: a table that is not read: HAM10000_metadata.csv is", []string{"|bkl|HAM10000_images_part_1/ISIC_1.png", "|nv|HAM10000_images_part_2/ISIC_2.png"}},
		"ISIC 2019": {map[string]string{"ISIC_2019_Training_Input/ISIC_1.png": "", "ISIC_2019_Training_GroundTruth.csv": "image,MEL,NV\nISIC_1,0.0,1.0\n", "ISIC_2019_Training_Metadata.csv": "image,age_approx,lesion_id,sex\nISIC_1,55,x,female\n"},
			"Metadata.csv: a table that is not read", []string{"|NV|ISIC_2019_Training_Input/ISIC_1.png"}},
		"ISIC 2018": {map[string]string{"ISIC2018_Task3_Training_Input/ISIC_1.png": "", "ISIC2018_Task3_Validation_Input/ISIC_2.png": "", "ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv": "image,MEL,NV\nISIC_1,0.0,1.0\n", "ISIC2018_Task3_Validation_GroundTruth/ISIC2018_Task3_Validation_GroundTruth.csv": "image,MEL,NV\nISIC_2,1.0,0.0\n"},
			"class from the column of 2 that is 1", []string{"train|NV|ISIC2018_Task3_Training_Input/ISIC_1.png", "validation|MEL|ISIC2018_Task3_Validation_Input/ISIC_2.png"}},
		"ISIC's archive":     {map[string]string{"ISIC_1.png": "", "metadata.csv": "isic_id,attribution,benign_malignant,diagnosis\nISIC_1,X,benign,nevus\n"}, "", []string{"|nevus|ISIC_1.png"}},
		"ChestX-ray14":       {map[string]string{"images_001/images/1_000.png": "", "images_002/images/2_000.png": "", "Data_Entry_2017.csv": "Image Index,Finding Labels,Follow-up #\n1_000.png,Cardiomegaly,0\n2_000.png,No Finding,1\n"}, "", []string{"|Cardiomegaly|images_001/images/1_000.png", "|No Finding|images_002/images/2_000.png"}},
		"APTOS 2019":         {map[string]string{"train_images/a.png": "", "test_images/b.png": "", "train.csv": "id_code,diagnosis\na,4\n", "test.csv": "id_code\nb\n", "sample_submission.csv": "id_code,diagnosis\nb,0\n"}, "", []string{"train|4|train_images/a.png", "test||test_images/b.png"}},
		"CIFAR-10 of Kaggle": {map[string]string{"train/1.png": "", "train/2.png": "", "test/1.png": "", "trainLabels.csv": "id,label\n1,frog\n2,truck\n", "sampleSubmission.csv": "id,label\n1,cat\n"}, "test/1.png: in no row of trainLabels.csv, as 1 pictures are", []string{"|frog|train/1.png", "|truck|train/2.png"}},
		"ids in labels.csv":  {map[string]string{"train/1.png": "", "train/2.png": "", "labels.csv": "id,label\n1,frog\n2,truck\n"}, "", []string{"|frog|train/1.png", "|truck|train/2.png"}},
		"Paddy Doctor":       {map[string]string{"train_images/blast/1.png": "", "train_images/normal/2.png": "", "train.csv": "image_id,label,variety,age\n1.png,blast,ADT45,45\n2.png,normal,ADT45,50\n"}, "", []string{"|blast|train_images/blast/1.png", "|normal|train_images/normal/2.png"}},
		"GTSRB of Kaggle": {map[string]string{"Train/0/1.png": "", "Train/1/2.png": "", "Test/0.png": "", "Meta/0.png": "", "Train.csv": "Width,ClassId,Path\n9,0,Train/0/1.png\n9,1,Train/1/2.png\n", "Test.csv": "Width,ClassId,Path\n9,1,Test/0.png\n", "Meta.csv": "Path,ClassId\nMeta/0.png,0\n"},
			"Meta.csv: a table that is not read", []string{"train|0|Train/0/1.png", "train|1|Train/1/2.png", "test|1|Test/0.png"}},
		"birds of Kaggle":           {map[string]string{"train/A/1.png": "", "valid/A/1.png": "", "birds.csv": "class id,filepaths,labels,data set\n0,train/A/1.png,A,train\n0,valid/A/1.png,A,valid\n"}, "split from \"data set\"", []string{"train|A|train/A/1.png", "validation|A|valid/A/1.png"}},
		"PaddleClas":                {map[string]string{"images/1.png": "", "images/2.png": "", "train_list.txt": "images/1.png 0\n", "val_list.txt": "2.png 1\n", "labels.txt": "cat\ndog\n"}, "the words behind the names are the classes", []string{"train|cat|images/1.png", "validation|dog|images/2.png"}},
		"lists above the folders":   {map[string]string{"images/cat/1.png": "", "images/dog/2.png": "", "train.txt": "cat/1.png 0\n", "val.txt": "dog/2.png 1\n"}, "", []string{"train|cat|images/cat/1.png", "validation|dog|images/dog/2.png"}},
		"cars":                      {map[string]string{"cars_train/Audi/1.png": "", "cars_test/Audi/2.png": "", "devkit/README.txt": "x"}, "cars_test, cars_train are read as splits", []string{"train|Audi|cars_train/Audi/1.png", "test|Audi|cars_test/Audi/2.png"}},
		"in French":                 {map[string]string{"Entraînement/chat/1.png": "", "Validation/chat/2.png": ""}, "", []string{"train|chat|Entraînement/chat/1.png", "validation|chat|Validation/chat/2.png"}},
		"genus and species":         {map[string]string{"Felis/catus/1.png": "", "Felis/silvestris/2.png": "", "Canis/lupus/3.png": ""}, "Canis/lupus: a folder in that of a class is read as a part of it (2 such", []string{"|Canis|Canis/lupus/3.png", "|Felis|Felis/catus/1.png", "|Felis|Felis/silvestris/2.png"}},
		"a table in a folder":       {map[string]string{"images/1.png": "", "images/2.png": "", "annotations/all.csv": "filename,label\n1.png,cat\n2.png,dog\n"}, "", []string{"|cat|images/1.png", "|dog|images/2.png"}},
		"a table with the pictures": {map[string]string{"set/1.png": "", "set/2.png": "", "set/labels.csv": "filename,label\n1.png,cat\n2.png,dog\n"}, "", []string{"|cat|1.png", "|dog|2.png"}},
		"a table in a split":        {map[string]string{"train/1.png": "", "train/labels.csv": "filename,label\n1.png,cat\n", "test/2.png": ""}, "", []string{"train|cat|train/1.png", "test||test/2.png"}},
		"a table of splits":         {map[string]string{"cat/1.png": "", "dog/2.png": "", "info.csv": "filename,split\ncat/1.png,train\ndog/2.png,test\n"}, "", []string{"train|cat|cat/1.png", "test|dog|dog/2.png"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, dataset.Auto, tree(t, c.files))
			if diff := cmp.Diff(c.want, names(d.Samples())); diff != "" {
				t.Error(diff, d.Why, d.Skipped, d.Missing, d.Notes)
			}
			if c.says != "" && !says(d, c.says) {
				t.Errorf("no note says %q: %v", c.says, d.Notes)
			}
		})
	}
}

// Data sets whose labels are in files that are not read: each is refused by its own name, also where its folders look like classes.
func TestUnreadLabelsAreRefused(t *testing.T) {
	t.Parallel()
	labelme := func(name string) string {
		return `{"version":"5.0.1","flags":{},"shapes":[{"label":"cat","points":[[1,1],[3,1],[3,3]],"shape_type":"polygon"}],"imagePath":"` + name + `","imageData":null}`
	}
	const cvat = `<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><image id="0" name="1.png" width="4" height="4"><tag label="cat" source="manual"></tag></image></annotations>`
	const via = `{"1.png812":{"filename":"1.png","size":812,"regions":[{"shape_attributes":{"name":"rect"},"region_attributes":{"class":"cat"}}],"file_attributes":{}}}`
	const voc = "<annotation><object><name>cat</name></object></annotation>"
	for name, c := range map[string]struct {
		files map[string]string
		says  []string
	}{
		"CVAT":                    {map[string]string{"annotations.xml": cvat, "images/1.png": ""}, []string{"annotations.xml", "CVAT"}},
		"CVAT, in folders":        {map[string]string{"annotations.xml": cvat, "images/default/1.png": ""}, []string{"annotations.xml", "CVAT"}},
		"LabelMe":                 {map[string]string{"1.png": "", "1.json": labelme("1.png")}, []string{"1.json", "LabelMe"}},
		"LabelMe in folders":      {map[string]string{"a/1.png": "", "a/1.json": labelme("1.png"), "b/2.png": "", "b/2.json": labelme("2.png")}, []string{"a/1.json", "LabelMe"}},
		"VIA":                     {map[string]string{"train/1.png": "", "train/via_region_data.json": via}, []string{"VGG Image Annotator"}},
		"VIA's project":           {map[string]string{"1.png": "", "p.json": `{"_via_settings":{},"_via_img_metadata":` + via + `}`}, []string{"VGG Image Annotator"}},
		"VIA's table":             {map[string]string{"1.png": "", "via.csv": "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n1.png,812,{},1,0,x,y\n"}, []string{"VGG Image Annotator"}},
		"Open Images":             {map[string]string{"train/1.png": "", "oidv6-train-annotations-human-imagelabels.csv": "ImageID,Source,LabelName,Confidence\n1,verification,/m/01yrx,0\n"}, []string{"Open Images", "confidence 0"}},
		"CreateML":                {map[string]string{"train/1.png": "", "train/_annotations.createml.json": `[{"image":"1.png","annotations":[{"label":"cat","coordinates":{"x":1,"y":1,"width":2,"height":2}}]}]`}, []string{"CreateML"}},
		"VOC beside":              {map[string]string{"train/1.png": "", "train/1.xml": voc}, []string{"train/1.xml", "Pascal VOC"}},
		"VOC":                     {map[string]string{"VOC2007/JPEGImages/1.png": "", "VOC2007/Annotations/1.xml": voc, "VOC2007/ImageSets/Main/trainval.txt": "1\n"}, []string{"Pascal VOC"}},
		"VOC's lists":             {map[string]string{"JPEGImages/1.png": "", "ImageSets/Main/cat_trainval.txt": "1 1\n", "ImageSets/Main/trainval.txt": "1\n"}, []string{"Pascal VOC, a list for each class"}},
		"YOLO beside":             {map[string]string{"1.png": "", "1.txt": "0 0.5 0.5 0.1 0.1\n"}, []string{"1.txt", "YOLO"}},
		"YOLO":                    {map[string]string{"train/images/1.png": "", "train/labels/1.txt": "0 .5 .5 .1 .1\n1 .5 .5 .25 .25 .5 .75\n"}, []string{"train/labels", "YOLO"}},
		"Darknet":                 {map[string]string{"obj_train_data/1.png": "", "obj_train_data/1.txt": "0 0.5 0.5 0.1 0.1\n", "obj.names": "cat\n"}, []string{"YOLO"}},
		"SageMaker":               {map[string]string{"1.png": "", "output.manifest": `{"source-ref":"s3://b/1.png","label":0}`}, []string{"SageMaker"}},
		"a list of pictures":      {map[string]string{"a/1.png": "", "b/2.png": "", "labels.json": `{"records":[["a/1.png","cat"],["b/2.png","dog"]]}`}, []string{"labels.json names the pictures", "images.csv"}},
		"a text of pictures":      {map[string]string{"val_large/P_1.png": "", "places_val.txt": "P_1.png 165\n"}, []string{"places_val.txt names the pictures"}},
		"unknown columns":         {map[string]string{"a/1.png": "", "b/2.png": "", "info.csv": "photo_name,kind\na/1.png,cat\nb/2.png,dog\n"}, []string{"info.csv names the pictures", "photo_name, kind", "--columns file=…;class=…"}},
		"several attributes":      {map[string]string{"img_align_celeba/1.png": "", "list_attr_celeba.csv": "image_id,Bald,Bangs\n1.png,-1,1\n"}, []string{"list_attr_celeba.csv", "--columns class=…"}},
		"CheXpert, one down":      {map[string]string{"CheXpert/train/patient1/study1/1.png": "", "CheXpert/train/patient2/study1/1.png": "", "CheXpert/train.csv": "Path,Sex,No Finding,Edema,Fracture\nCheXpert/train/patient1/study1/1.png,Male,1.0,,\nCheXpert/train/patient2/study1/1.png,Male,0.0,1.0,-1.0\n"}, []string{"train.csv has columns that say 1, 0, -1 or nothing for No Finding, Edema,", "one label an image"}},
		"MedMNIST":                {map[string]string{"pathmnist.npz": "x"}, []string{"pathmnist.npz", "numpy's arrays, as MedMNIST has them"}},
		"Cityscapes":              {map[string]string{"leftImg8bit/train/aachen/a_leftImg8bit.png": "", "gtFine/train/aachen/a_gtFine_color.png": ""}, []string{"gtFine and leftImg8bit are Cityscapes'", "images.csv"}},
		"files without a suffix":  {map[string]string{"train/img1": "x", "train/img2": "x", "train.csv": "id,label\nimg1,cat\nimg2,dog\n"}, []string{"img1: not a picture: its name does not end in .jpg"}},
		"Stanford Cars":           {map[string]string{"cars_train/1.png": "", "cars_test/2.png": "", "devkit/cars_train_annos.mat": "x"}, []string{"cars_train_annos.mat", "not a MATLAB file"}},
		"Flowers 102":             {map[string]string{"jpg/image_1.png": "", "imagelabels.mat": "x", "setid.mat": "x"}, []string{"imagelabels.mat", "not a MATLAB file"}},
		"Describable Textures":    {map[string]string{"images/banded/1.png": "", "images/dotted/2.png": "", "labels/labels_joint_anno.txt": "banded/1.png banded\n"}, []string{"labels_joint_anno.txt names the pictures"}},
		"Edge Impulse":            {map[string]string{"training/cat.1.png": "", "info.labels": `{"files":[{"path":"training/cat.1.png","label":{"label":"cat"}}]}`}, []string{"info.labels"}},
		"texts beside":            {map[string]string{"1.png": "", "1.txt": "a cat\n"}, []string{"1.txt", "may hold their labels"}},
		"TFRecord":                {map[string]string{"data/1.0.0/x-train.tfrecord-00000-of-00001": "x", "data/1.0.0/features.json": "{}"}, []string{"TFRecord"}},
		"TFRecord without suffix": {map[string]string{"train-00000-of-00002": "x"}, []string{"TFRecord"}},
		"LMDB":                    {map[string]string{"train/data.mdb": "x"}, []string{"LMDB"}},
		"MNIST":                   {map[string]string{"MNIST/raw/train-images-idx3-ubyte": "x"}, []string{"MNIST"}},
		"Arrow":                   {map[string]string{"train/data-00000-of-00001.arrow": "x", "dataset_dict.json": "{}"}, []string{"Arrow"}},
		"shards in splits":        {map[string]string{"train/00000.tar": "x"}, []string{"train/00000.tar", "cannot be unpacked"}},
		"corruptions":             {map[string]string{"fog/1/n01/1.png": "", "fog/1/n02/1.png": "", "snow/1/n01/1.png": "", "snow/1/n02/1.png": ""}, []string{"--splits"}},
		"another split":           {map[string]string{"train/cat/1.png": "", "train/dog/1.png": "", "holdout/cat/2.png": ""}, []string{"holdout has the same folders", "--splits holdout=test"}},
		"a third set":             {map[string]string{"bounding_box_train/1.png": "", "bounding_box_test/2.png": "", "query/3.png": ""}, []string{"may be splits", "--splits bounding_box_"}},
		"no header":               {map[string]string{"1.png": "", "train.csv": "1.png,cat\n"}, []string{"first line of train.csv names a picture (1.png)", "header line"}},
		"two tables":              {map[string]string{"1.png": "", "a.csv": "file,class\n1.png,cat\n", "b.csv": "file,class\n1.png,dog\n"}, []string{"a.csv and b.csv both name files and classes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := dataset.Open(dataset.Auto, tree(t, c.files))
			if err == nil {
				t.Fatalf("read as %s: %v, %v", d.Format, names(d.Samples()), d.Notes)
			}
			for _, says := range c.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v does not say %q", err, says)
				}
			}
		})
	}
}

// Names of files in tables that were written elsewhere.
func TestTablesFromElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows, says string
	}{
		"Windows":        {"C:\\data\\img\\one.png,cat\nC:\\data\\img\\2.PNG,dog\n", "the folders that are not here: C:/data/"},
		"a notebook":     {"/content/drive/img/one.png,cat\n/content/drive/img/2.PNG,dog\n", "content/drive/"},
		"Kaggle":         {"../input/x/img/one.png,cat\n../input/x/img/2.PNG,dog\n", "../input/x/"},
		"the folder":     {"birds/img/one.png,cat\nbirds/img/2.PNG,dog\n", "not here: birds/"},
		"an address":     {"https://host/a/img/one.png?size=3,cat\nhttps://host/a/img/2.PNG,dog\n", "not here: a/"},
		"percent":        {"img/%6Fne.png,cat\nimg/2.PNG,dog\n", "%20"},
		"capitals":       {"img/ONE.png,cat\nimg/2.PNG,dog\n", "capitals"},
		"other suffix":   {"img/one.jpg,cat\nimg/2.jpg,dog\n", "files end in .png where the table says .jpg"},
		"small suffix":   {"img/one.png,cat\nimg/2.png,dog\n", "files end in .PNG where the table says .png"},
		"from the root":  {"/img/one.png,cat\n/img/2.PNG,dog\n", ""},
		"without folder": {"one.png,cat\n2.PNG,dog\n", "found in img/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, dataset.Auto, tree(t, map[string]string{"img/one.png": "", "img/2.PNG": "", "labels.csv": "filename,label\n" + c.rows}))
			if diff := cmp.Diff([]string{"|dog|img/2.PNG", "|cat|img/one.png"}, names(d.Samples())); diff != "" {
				t.Error(diff, d.Skipped, d.Missing, d.Notes)
			}
			if c.says != "" && !says(d, c.says) {
				t.Errorf("no note says %q: %v", c.says, d.Notes)
			}
		})
	}
	// A row of a file that is not there takes no other file of the name.
	d := open(t, dataset.Auto, tree(t, map[string]string{"train/cat/1.png": "", "val/cat/2.png": "", "labels.csv": "filename,label\ntrain/cat/1.png,cat\ntrain/cat/2.png,cat\nC:\\x\\9.png,cat\n"}))
	if d.Len() != 1 || len(d.Missing) != 2 {
		t.Errorf("%v, missing %v", names(d.Samples()), d.Missing)
	}
}

// Columns that say of an image whether it is in a split.
func TestColumnsOfSplits(t *testing.T) {
	t.Parallel()
	for table, want := range map[string]string{
		"fname,label,is_valid\n1.png,cat,False\n2.png,dog,True\n":           "train validation",
		"filename,label,is_test\n1.png,cat,0\n2.png,dog,1\n":                "train test",
		"filename,label,train\n1.png,cat,True\n2.png,dog,False\n":           "train test",
		"filename,label,train,val,test\n1.png,cat,0,1,0\n2.png,dog,0,0,1\n": "validation test",
		"filename,label,is_train,is_val\n1.png,cat,1,0\n2.png,dog,0,1\n":    "train validation",
		"id,filename,label,kfold\n7,1.png,cat,0\n8,2.png,dog,1\n":           " ",
		",filename,label\n0,1.png,cat\n1,2.png,dog\n":                       " ",
		"file,label,is_train,is_val\n1.png,cat,1,1\n2.png,dog,0,1\n":        "error: the image is in train and validation at once",
		"file,label,is_train\n1.png,cat,1\n2.png,dog,maybe\n":               "error: neither true nor false",
		"file,label,test\n1.png,cat,0.93\n2.png,dog,0.12\n":                 " ",
	} {
		d, err := dataset.Open(dataset.Auto, tree(t, map[string]string{"1.png": "", "2.png": "", "labels.csv": table}))
		if says, refused := strings.CutPrefix(want, "error: "); refused {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v does not say %q", table, err, says)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", table, err)
			continue
		}
		one, _ := d.Named("1.png")
		two, _ := d.Named("2.png")
		if got := one.Split + " " + two.Split; got != want || one.Class != "cat" || two.Class != "dog" {
			t.Errorf("%s: %q, want %q; %v", table, got, want, d.Samples())
		}
	}
}

// Classes that may be mistakes are read as they are, with a note.
func TestOddClasses(t *testing.T) {
	t.Parallel()
	for rows, what := range map[string]string{
		"1.png,Cat\n2.png,cat\n":           `the classes "Cat" and "cat" may be one`,
		"1.png,black cat\n2.png,black_cat": `may be one`,
		"1.png,cat\u200b\n2.png,cat\n":     `may be one`,
		"1.png,007\n2.png,7\n":             `may be one`,
		"1.png,nan\n2.png,cat\n":           `the class "nan" may say that there is no label`,
		"1.png,33.5\n2.png,12.25\n":        `2 of the 2 classes are numbers with fractions`,
		"1.png,\n2.png,cat\n":              `labels.csv:2: the row has no label`,
		"1.png,cat\n":                      `2.png: in no row of labels.csv, as 1 pictures are`,
		"1.png,\"['cat']\"\n2.png,['dog']": `labels.csv: read as`,
	} {
		d := open(t, dataset.Auto, tree(t, map[string]string{"1.png": "", "2.png": "", "labels.csv": "image,label\n" + rows}))
		if !says(d, what) {
			t.Errorf("%q: no note says %q: %v", rows, what, d.Notes)
		}
		if strings.Contains(strings.Join(d.Classes, ""), "[") {
			t.Errorf("%q: classes %v", rows, d.Classes)
		}
	}
	if _, err := dataset.Open(dataset.Auto, tree(t, map[string]string{"1.png": "", "labels.csv": "image,labels\n1.png,\"['cat', 'dog']\"\n"})); err == nil || !strings.Contains(err.Error(), "several labels") {
		t.Errorf("a list of two: %v", err)
	}
}

// Tables and names beside archives speak of what is in these; an archive with a password is refused.
func TestTablesBesideArchives(t *testing.T) {
	t.Parallel()
	picture, err := os.ReadFile(filepath.Join(tree(t, map[string]string{"1.png": ""}), "1.png"))
	if err != nil {
		t.Fatal(err)
	}
	pack := func(t *testing.T, dir string, flags uint16) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, "images.zip"))
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		for _, name := range []string{"1.png", "2.png"} {
			w, err := z.CreateHeader(&zip.FileHeader{Name: name, Flags: flags})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(picture); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	dir := tree(t, map[string]string{"labels.csv": "filename,label\n1.png,0\n2.png,1\n", "classes.txt": "cat\ndog\n"})
	pack(t, dir, 0)
	d := open(t, dataset.Auto, dir)
	defer d.Close()
	if diff := cmp.Diff([]string{"|cat|1.png", "|dog|2.png"}, names(d.Samples())); diff != "" {
		t.Error(diff, d.Notes)
	}
	old := t.TempDir() // names as Japanese Windows writes them
	f, err := os.Create(filepath.Join(old, "x.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for _, name := range []string{"\x94\x4c/1.png", "dog/2.png"} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, NonUTF8: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(picture); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	japanese, err := dataset.Read(filepath.Join(old, "x.zip"), dataset.Options{Encoding: "shift_jis"})
	if err != nil {
		t.Fatal(err)
	}
	defer japanese.Close()
	if diff := cmp.Diff([]string{"|dog|dog/2.png", "|猫|猫/1.png"}, names(japanese.Samples())); diff != "" {
		t.Error(diff, japanese.Skipped)
	}
	secret := t.TempDir()
	pack(t, secret, 1)
	if _, err := dataset.Open(dataset.Auto, secret); err == nil || !strings.Contains(err.Error(), "encrypted with a password") {
		t.Errorf("%v", err)
	}
}
