//! The Lambda function `image-push`.

use std::process::ExitCode;

use image_push::ImagePush;

fn main() -> ExitCode {
    shared::start::function(ImagePush::from_environment, ImagePush::handle)
}
