//! The model of a bundle that `dermalia phantom` wrote, and how long it takes:
//! `model BUNDLE OUT`; prints the seconds on the wall's clock and those of processor.

use std::error::Error;
use std::fs;
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::time::Instant;

use dermalia_findings::BaseTexture;
use dermalia_report::write_glb;
use dermalia_surface::Mesh;

fn mesh(text: &str) -> Result<Mesh, Box<dyn Error>> {
    let (mut positions, mut uvs, mut triangles, mut uv_triangles) =
        (vec![], vec![], vec![], vec![]);
    for line in text.lines() {
        let mut words = line.split(' ');
        let kind = words.next().unwrap_or_default();
        match kind {
            "v" => {
                let p: Vec<f32> = words.map(str::parse).collect::<Result<_, _>>()?;
                positions.push(p.try_into().map_err(|_| "a point has three numbers")?);
            }
            "vt" => {
                let p: Vec<f32> = words.map(str::parse).collect::<Result<_, _>>()?;
                uvs.push(p.try_into().map_err(|_| "a place has two numbers")?);
            }
            "f" => {
                let (mut corner, mut place) = ([0_u32; 3], [0_u32; 3]);
                for (k, word) in words.enumerate().take(3) {
                    let mut parts = word.split('/');
                    let mut next = || -> Result<u32, Box<dyn Error>> {
                        Ok(parts
                            .next()
                            .ok_or("a corner has two numbers")?
                            .parse::<u32>()?
                            - 1)
                    };
                    (corner[k], place[k]) = (next()?, next()?);
                }
                triangles.push(corner);
                uv_triangles.push(place);
            }
            _ => {}
        }
    }
    Ok(Mesh::new(positions, uvs, triangles, uv_triangles)?)
}

/// Seconds of processor that this process has had, in all its threads.
fn cpu_secs() -> Result<f64, Box<dyn Error>> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let nanoseconds = text.split_whitespace().next().ok_or("no time")?;
        sum += nanoseconds.parse::<u64>()?;
    }
    Ok(sum as f64 / 1e9)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(bundle), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("expected two arguments: BUNDLE OUT".into());
    };
    let mesh = mesh(&fs::read_to_string(bundle.join("face.obj"))?)?;
    let file = BufReader::new(fs::File::open(bundle.join("white.png"))?);
    let mut reader = png::Decoder::new(file).read_info()?;
    let mut rgb = vec![
        0;
        reader
            .output_buffer_size()
            .ok_or("the picture is too large")?
    ];
    let frame = reader.next_frame(&mut rgb)?;
    let base = BaseTexture {
        width: frame.width as usize,
        height: frame.height as usize,
        rgb,
    };
    let (start, cpu) = (Instant::now(), cpu_secs()?);
    let model = write_glb(&mesh, &base, &[])?;
    let (took, cpu) = (start.elapsed(), cpu_secs()? - cpu);
    fs::write(out, model)?;
    writeln!(std::io::stdout(), "{:.3} {cpu:.3}", took.as_secs_f64())?;
    Ok(())
}
